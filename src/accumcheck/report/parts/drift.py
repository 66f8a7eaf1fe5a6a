"""The free-running trajectory: one row per split, with its loss curve if the terminal can draw it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.blocks import Cell, Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Report, SplitResult

_BLOCKS = "▁▂▃▄▅▆▇█"
_POINTS = 24


DRIFT_COLUMNS = (
    Column(("", "split"), "left", gap=0),
    Column(("first", "loss")),
    Column(("last", "loss"), gap=1),
    Column(("largest", "drift")),
    Column(("at", "step"), gap=1),
    Column(("", "the loss, step by step"), "left", leave_out=1, drawn=True),
)


def drift_table(report: Report) -> Table | None:
    """The largest drift of every split; None if there is no trajectory."""
    steps = max((len(split.trajectory) for split in report.splits), default=0)
    if not steps:
        return None
    lead = f"Trajectory of {steps} steps with the real optimizer: the logged loss, and its largest drift from control."
    return Table(DRIFT_COLUMNS, drift(report), caption="Drift from the control", lead=lead)


def drift(report: Report) -> list[list[Cell]]:
    """The largest drift of each split's logged loss from the control's over the trajectory; not a verdict."""
    splits = [split for split in report.splits if split.trajectory]
    control = next((split for split in splits if split.is_control), None)
    known = [[point.loss for point in split.trajectory] for split in splits]
    values = numbers.aligned([*(losses[0] for losses in known), *(losses[-1] for losses in known)])
    return [
        [
            Cell(str(split.split), "label"),
            Cell(values[index]),
            Cell(values[index + len(splits)]),
            *_largest(split, control),
            Cell(sparkline(losses), "curve"),
        ]
        for index, (split, losses) in enumerate(zip(splits, known, strict=True))
    ]


def _largest(split: SplitResult, control: SplitResult | None) -> tuple[Cell, Cell]:
    if split.is_control:
        return Cell("control", "quiet"), Cell("")
    others = {point.step: point.loss for point in control.trajectory} if control is not None else {}
    drifts = [
        (abs(point.loss - other) / abs(other), point.step, point.loss, other)
        for point in split.trajectory
        if point.loss is not None and (other := others.get(point.step))
    ]
    if not drifts:
        return Cell(numbers.MISSING, "bad"), Cell("")
    broken = next((one for one in drifts if not math.isfinite(one[0])), None)
    relative, step, loss, other = broken or max(drifts, key=lambda one: (round(one[0], 9), -one[1]))
    return Cell(numbers.ratio(loss, other, relative), "bad" if broken else ""), Cell(str(step))


def sparkline(values: Sequence[float | None], points: int = _POINTS) -> str:
    """A curve in ``points`` characters at most, from its own smallest to its own largest value.

    Each character is the mean of its share of the values; a space if none of them is finite.
    """
    points = min(points, len(values))
    shares = [values[index * len(values) // points : (index + 1) * len(values) // points] for index in range(points)]
    means = [
        sum(finite) / len(finite) if finite else None
        for finite in ([value for value in share if value is not None and math.isfinite(value)] for share in shares)
    ]
    known = [mean for mean in means if mean is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    step = (high - low) / (len(_BLOCKS) - 1) or 1.0
    return "".join(" " if mean is None else _BLOCKS[round((mean - low) / step)] for mean in means)
