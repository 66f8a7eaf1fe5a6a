"""How often a schedule is stepped for each optimizer step."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.record import SplitObservation


def pace_of(split: SplitObservation) -> float | None:
    """The pace of the first schedule that moves; None if no schedule moves.

    With a single step it is the number of schedule steps until the next forward begins, or until the step is logged.
    """
    return next((pace for pace in _paces(split) if pace), None)


def stands_still(split: SplitObservation) -> bool:
    """Whether there are schedules, and none of them is stepped."""
    paces = _paces(split)
    return bool(paces) and not any(paces)


def _paces(split: SplitObservation) -> Sequence[float]:
    if not split.steps:
        return ()
    begin, count = split.steps[0].schedule_steps, len(split.steps) - 1
    end = split.steps[-1].schedule_steps
    if not count:
        end, count = split.steps[0].schedule_steps_after, 1
    if len(begin) != len(end):
        return ()
    return [(last - first) / count for first, last in zip(begin, end, strict=True)]
