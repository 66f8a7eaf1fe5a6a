"""A saved comparison, read back from JSON that is not trusted. Only its reports are used; the rest is computed."""

from __future__ import annotations

from typing import Any

from accumcheck.compare.changes import worst_exit_code
from accumcheck.compare.upgrade import pair_of
from accumcheck.errors import ConfigError
from accumcheck.record.comparison import Comparison, Pair
from accumcheck.redaction import redacted
from accumcheck.saved.comparisons import ComparisonJson, ResultJson
from accumcheck.saved.consistent import check_consistent
from accumcheck.saved.kinds import COMPARISON
from accumcheck.saved.places import under
from accumcheck.saved.read import record_from
from accumcheck.saved.versions import check_version

_REPORTS = ("old", "new")
"""The names of the two sides in ``accumcheck compare``."""


def comparison_from(found: Any) -> Comparison:
    """The comparison in the JSON that ``accumcheck upgrade`` and ``accumcheck compare`` write.

    Raises:
        ConfigError: it is not a comparison, has an unknown version, or contradicts itself; each line begins with the
            place.
    """
    check_version(found, "a comparison")
    saved = record_from(ComparisonJson, found, COMPARISON)
    if not saved.results:
        raise ConfigError("results: found none, expected at least one")
    pairs = tuple(_pair(f"results[{at}]", one, saved) for at, one in enumerate(saved.results))
    code = worst_exit_code(pair.exit_code for pair in pairs)
    _check_code("exit_code", saved.exit_code, code)
    gate = (saved.old, saved.new) != _REPORTS if saved.gate is None else saved.gate
    command = "upgrade" if gate else "compare"
    return redacted(
        Comparison(
            title=saved.title or f"accumcheck {command}: {saved.old} -> {saved.new}",
            old=saved.old,
            new=saved.new,
            pairs=pairs,
            exit_code=code,
            allow_drift=saved.allow_drift,
            gate=gate,
            allow_missing=saved.allow_missing,
            strict=saved.strict,
            package=saved.package,
        )
    )


def _pair(place: str, one: ResultJson, saved: ComparisonJson) -> Pair:
    for name, report in (("from", one.old), ("to", one.new)):
        with under(f"{place}.{name}"):
            check_consistent(report)
    with under(place, ": "):
        pair = pair_of(
            one.config,
            one.old,
            one.new,
            strict=saved.strict,
            allow_drift=saved.allow_drift,
            allow_missing=saved.allow_missing,
        )
    _check_code(f"{place}.exit_code", one.exit_code, pair.exit_code)
    return pair


def _check_code(place: str, found: int, expected: int) -> None:
    if found != expected:
        raise ConfigError(
            f"{place}: found {found}, but the reports give {expected}; the comparison contradicts itself; run it again"
        )
