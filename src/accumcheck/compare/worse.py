"""Whether a split got worse between two reports: it fails now, or its fault is new or larger."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from accumcheck.record import Report, SplitResult, Tolerances

Measure = Literal["loss", "gradient"]
_MEASURES: tuple[Measure, ...] = ("loss", "gradient")
LARGER = 1.01
"""A fault is larger if its error grew by more than one percent, and by more than rounding."""


def why_worse(before: SplitResult, after: SplitResult, old: Report, new: Report) -> str:
    """Why one split is worse in the new report, in a few words; empty if it is not worse.

    If a split fails in both reports, it is worse if its loss or its gradient was right and is wrong now, if an error
    grew, or if there is a new fault without a weighting rule. A different rule alone is not worse.

    Args:
        before: the split in the old report.
        after: the split in the new report.
        old: the old report.
        new: the new report.
    """
    if after.verdict != "fail":
        return ""
    if before.verdict != "fail":
        return "fails"
    for measure in _MEASURES:
        if why := _larger(measure, before, after, old.tolerances, new.tolerances):
            return why
    came = sorted(_faults(after, new) - _faults(before, old))
    return f"a new fault: {', '.join(came)}" if came else ""


def _larger(
    measure: Measure, before: SplitResult, after: SplitResult, old: Tolerances | None, new: Tolerances | None
) -> str:
    limits = [limit for one in (old, new) if one is not None and (limit := _limit(measure, one)) is not None]
    was, is_ = _error(measure, before), _error(measure, after)
    if not limits or was is None or is_ is None or math.isnan(was):
        return ""
    allowed = max(limits)
    if is_ <= allowed:
        return ""
    if was <= allowed:
        return f"its {measure} is wrong too"
    if is_ <= was * LARGER + allowed:
        return ""
    return f"the error of its {measure} grows from {was:.3g} to {is_:.3g}"


def _limit(measure: Measure, tolerances: Tolerances) -> float | None:
    return tolerances.loss if measure == "loss" else tolerances.gradient


def _error(measure: Measure, split: SplitResult) -> float | None:
    """The largest error of all steps against the reference, or against the control if there is none; NaN: infinite."""
    of_reference = _known(getattr(step.vs_reference, measure) for step in split.steps)
    found = of_reference or _known(getattr(step.vs_control, measure) for step in split.steps)
    return max((math.inf if math.isnan(one) else one for one in found), default=None)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _faults(split: SplitResult, report: Report) -> set[str]:
    """The ids of findings without a weighting rule that fail a split. With a rule, the numbers show the size."""
    return {
        one.id
        for one in report.findings
        if one.severity == "fail"
        and str(split.split) in one.splits
        and one.loss_rule is None
        and one.gradient_rule is None
    }
