"""A saved search over releases, read back from JSON that is not trusted."""

from __future__ import annotations

from typing import Any

from accumcheck.errors import ConfigError
from accumcheck.record.bisection import Bisection, ShortReport, Step, Tried
from accumcheck.redaction import redacted
from accumcheck.saved.bisections import BisectionJson, SideJson, StepJson
from accumcheck.saved.consistent import check_consistent
from accumcheck.saved.kinds import SEARCH
from accumcheck.saved.places import under
from accumcheck.saved.read import record_from
from accumcheck.saved.verdicts import EXIT_CODES
from accumcheck.saved.versions import check_version


def bisection_from(found: Any) -> Bisection:
    """The search in the JSON that ``accumcheck bisect -o search.json`` writes.

    Raises:
        ConfigError: it is not a search, has an unknown version, or contradicts itself; each line begins with the
            place.
    """
    check_version(found, "a search")
    saved = record_from(BisectionJson, found, SEARCH)
    for name, side in (("before", saved.before), ("after", saved.after)):
        if side.report is not None:
            with under(f"{name}.report"):
                check_consistent(side.report)
    if saved.before.report is None and saved.after.report is None:
        raise ConfigError(
            "before.report: found nothing, nor in after.report; expected a report in at least one of them; run the "
            "search again"
        )
    if not saved.candidates:
        raise ConfigError("candidates: found none, expected at least one")
    steps = tuple(map(_step, saved.steps))
    tried = {step.tried.release: step.tried for step in steps}
    bisection = Bisection(
        find=saved.find,
        meaning=saved.bad_means,
        before=_side(saved.before, tried),
        after=_side(saved.after, tried),
        candidates=saved.candidates,
        skipped=tuple(tried[one] for one in saved.candidates[:-1] if one in tried),
        steps=steps,
        earlier=tuple((one.bad_meant, one.until) for one in saved.earlier),
        config=saved.config,
        package=saved.package,
        of_commits=saved.of_commits,
        full=(saved.found,) if saved.found is not None and len(saved.candidates) == 1 else (),
        pages=saved.release_notes,
    )
    if (bisection.exit_code, bisection.found_in_full) != (saved.exit_code, saved.found):
        raise ConfigError(
            f"found: found {saved.found} with exit code {saved.exit_code}, but candidates has {len(saved.candidates)}; "
            "the search contradicts itself; run it again"
        )
    return redacted(bisection)


def _step(one: StepJson) -> Step:
    short = None
    if one.verdict is not None:
        code = EXIT_CODES[one.verdict] if one.exit_code is None else one.exit_code
        short = ShortReport(one.verdict, code, one.loss_rule, one.gradient_rule, one.started_at)
    tried = Tried(one.release, None, one.reason, one.seconds, one.kept, one.about, short)
    is_bad = None if one.state == "skipped" else one.state == "bad"
    return Step(tried, is_bad, one.bad_means, one.left, one.steps_left)


def _side(side: SideJson, tried: dict[str, Tried]) -> Tried:
    """A release next to the change: its step, with the full report."""
    one = tried.get(side.release)
    if one is None:
        return Tried(side.release, side.report)
    return Tried(one.release, side.report, one.reason, one.seconds, one.kept, one.about, one.saved)
