"""Comparisons made by hand, from the reports made by hand."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.compare.changes import compare_reports, exit_code, worst_exit_code
from accumcheck.record import ConfigFile, Report
from accumcheck.record.comparison import Comparison, Pair
from tests.report import examples


def pair(old: Report, new: Report, config: str = "check.yaml", *, strict: bool = False, **allowed: bool) -> Pair:
    changes = compare_reports(old, new)
    file = ConfigFile(config, 7)
    old, new = (replace(report, config_file=file) for report in (old, new))
    code = exit_code(changes, new, strict=strict, **{"allow_drift": False, **allowed})
    return Pair(config, old, new, changes, code)


def comparison(*pairs: Pair, gate: bool = True, allow_drift: bool = False, strict: bool = False) -> Comparison:
    old, new = ("5.23.0", "4.49.0") if gate else ("old", "new")
    title = f"accumcheck upgrade: transformers {old} -> {new}" if gate else "accumcheck compare: a.json -> b.json"
    code = worst_exit_code(one.exit_code for one in pairs)
    return Comparison(title, old, new, pairs, code, allow_drift, gate, strict=strict)


def same_splits() -> Report:
    """The run that passes, with the splits of the one that fails."""
    factors = ("1x128x1", "4x16x2", "4x8x4", "8x1x16", "4x1x32")
    splits = tuple(examples.split(label, control=label == "1x128x1") for label in factors)
    return replace(examples.clean(), splits=splits)


def drifted(factor: float = 1.01) -> Report:
    report = same_splits()
    first, *rest = report.reference
    return replace(report, reference=(replace(first, loss=first.loss * factor), *rest))


def broken() -> Comparison:
    return comparison(pair(same_splits(), examples.llava_449()))


def fewer_splits(*, allow_missing: bool = False) -> Comparison:
    """The new run passes, and has three of the five splits."""
    old, new = same_splits(), examples.clean()
    made = pair(old, new, allow_missing=allow_missing)
    return replace(comparison(made, gate=False), allow_missing=allow_missing)


def fixed() -> Comparison:
    return comparison(pair(examples.llava_449(), same_splits()))


def drifting(*, allow_drift: bool = False) -> Comparison:
    return comparison(pair(same_splits(), drifted(), allow_drift=allow_drift), allow_drift=allow_drift)


def failing_in_both(*, strict: bool = True) -> Comparison:
    return comparison(pair(examples.llava_449(), examples.llava_449(), strict=strict), strict=strict)


def undecided() -> Comparison:
    return comparison(pair(same_splits(), examples.undecided()))


def several() -> Comparison:
    return comparison(
        pair(same_splits(), same_splits(), "configs/a.yaml"),
        pair(same_splits(), examples.llava_449(), "configs/b.yaml"),
        pair(same_splits(), examples.undecided(), "configs/c.yaml"),
    )


EVERY = (broken, fewer_splits, fixed, drifting, failing_in_both, undecided, several)
