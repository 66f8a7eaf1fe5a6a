"""Weights that depend on the place of the micro-batch in its window: one row for each shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.rules.fed import Ints
from accumcheck.record import Severity
from accumcheck.record.rule import Window

Times = Callable[[Ints, Ints, Window], npt.NDArray[np.float64]]
"""From the place j of each row's micro-batch, the size of its window, and the shape, to the factor on its weight."""


@dataclass(frozen=True, slots=True)
class WindowShape:
    """One shape; rows are in order of preference if several fit.

    ``times``: the formula; ``meaning``, ``effect``, ``remedy``, ``severity``: as for a base.
    """

    name: str
    times: Times
    meaning: str
    effect: str
    remedy: str
    severity: Severity = "fail"


def _geometric(place: Ints, window: Ints, shape: Window) -> npt.NDArray[np.float64]:
    ratio = 1.0 if shape.ratio is None else shape.ratio
    return np.asarray(ratio ** (place - 1 if shape.grows else window - place).astype(np.float64))


_LOST = "Only part of each global batch is learned from: the effective batch is smaller than configured."
_ROWS = (
    WindowShape(
        "last-microbatch",
        lambda place, window, _: np.asarray(place == window, dtype=np.float64),
        "only the last micro-batch of each window enters the update",
        _LOST,
        (
            "Set gradients to zero once per optimizer step, after it: not before each micro-batch. "
            "Check that nothing overwrites .grad inside the window."
        ),
    ),
    WindowShape(
        "first-microbatch",
        lambda place, _, __: np.asarray(place == 1, dtype=np.float64),
        "only the first micro-batch of each window enters the update",
        _LOST,
        (
            "Check what copies gradients (an offloaded optimizer, a buffer): later micro-batches must be added to the "
            "copy. Check that the optimizer steps after the last micro-batch of a window, not after the first."
        ),
    ),
    WindowShape(
        "window-geometric",
        _geometric,
        "the weight of a micro-batch changes by the same factor from one place in the window to the next",
        "Micro-batches of one window do not count the same: what is learned from a sample depends on its place.",
        "Look for what scales the accumulated gradient, or adds it to itself, at every micro-batch.",
    ),
    WindowShape(
        "window-partial",
        lambda place, _, shape: np.asarray(np.isin(place, shape.kept), dtype=np.float64),
        "only some of the micro-batches of each window enter the update",
        _LOST,
        "Look for what skips or discards micro-batches inside the window.",
    ),
)

WINDOW_ROWS = {row.name: row for row in _ROWS}
"""By name, in order of preference."""
