"""How far a split's optimizer steps move the weights from where the control's do."""

from __future__ import annotations

import math

import numpy as np

from accumcheck.judge.measure.errors import gradient_error
from accumcheck.record import StepObservation, Tolerances

CLEAR = 1e-3
"""An entry of the gradient is clear where it is known to this part of itself. An adaptive optimizer divides by the
gradient's own size, so that it makes as much of an entry that is noise as of any other."""
NOISE = 10.0
"""Times the gradient's tolerance: entries are no clearer than this in dtypes that round more."""
ENOUGH = 0.9
"""The clear entries must hold this part of the gradient's squared norm: else the gradient itself is another one."""
SAFETY = 10.0
"""Times what the gradient's noise explains in a clear entry: an optimizer of matrices mixes entries."""


def allowed_change(tolerances: Tolerances) -> float:
    """The largest relative difference of two changes of the weights, in clear entries, that the gradients explain."""
    return max(SAFETY * CLEAR, 2 * clear_to(tolerances))


def clear_to(tolerances: Tolerances) -> float:
    """To what part of itself an entry must be known to be clear."""
    return max(CLEAR, NOISE * (tolerances.gradient or 0.0))


def change_difference(mine: StepObservation, control: StepObservation, clear: float) -> float | None:
    """The difference of two changes of the weights, relative to the control's, over the clear entries.

    Args:
        mine: a split's step.
        control: the control's.
        clear: see `clear_to`.

    Returns:
        None where a change was not seen, or where too little of the gradient is clear to say anything.
    """
    if mine.change is None or control.change is None or 0 not in mine.gradients or 0 not in control.gradients:
        return None
    right = control.gradients[0].astype(np.float64, copy=False) * control.clip_coefficient
    error = np.abs(mine.gradients[0].astype(np.float64, copy=False) * mine.clip_coefficient - right)
    chosen = error < clear * np.abs(right)
    whole = float(np.square(right).sum())
    if not math.isfinite(whole) or whole == 0 or float(np.square(right[chosen]).sum()) < ENOUGH * whole:
        return None
    return gradient_error(mine.change[chosen], control.change[chosen])
