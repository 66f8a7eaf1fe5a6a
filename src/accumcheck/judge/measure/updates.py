"""How far a split's optimizer steps move the weights from where the control's do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.errors import norms_by_parameter
from accumcheck.record import Coordinates, StepObservation, Tolerances
from accumcheck.record.observed import HeldWeights

Vector = npt.NDArray[np.floating[Any]]

CLEAR = 1e-3
"""An entry of the gradient is clear where it is known to this part of itself. An adaptive optimizer divides by the
gradient's own size, so that it makes as much of an entry that is noise as of any other."""
NOISE = 10.0
"""Times the gradient's tolerance: entries are no clearer than this in dtypes that round more."""
CLEAREST = 0.1
"""But no less clear than this in any."""
ENOUGH = 0.9
"""The clear entries must hold this part of the gradient's squared norm: else the gradient itself is another one."""
SAFETY = 10.0
"""Times what the gradient's noise explains in a clear entry: an optimizer of matrices mixes entries."""
FLOAT16 = 2.0**-10
"""The unit of float16. Optimizers keep their state in the weight's dtype, and the square of a gradient below 2**-12 is
0 in it: Adam then divides by nothing, or by the smallest number there is, as the last bit of the gradient has it."""
ITS_OWN = {"bfloat16": 2.0**-7, "float16": 2.0**-10}
"""A norm is computed in the gradient's own dtype, and what clips from it: ``clip_grad_norm_`` rounds the norm of each
tensor, and that of these norms, each by half a unit in the last place."""


def allowed_change(tolerances: Tolerances) -> float:
    """The largest relative difference of two changes of the weights, in clear entries, that the gradients explain."""
    return max(SAFETY * CLEAR, 2 * clear_to(tolerances))


def clear_to(tolerances: Tolerances) -> float:
    """To what part of itself an entry must be known to be clear."""
    return min(CLEAREST, max(CLEAR, NOISE * (tolerances.gradient or 0.0)))


def change_difference(
    mine: StepObservation, control: StepObservation, clear: float, weights: HeldWeights | None = None
) -> float | None:
    """The difference of two changes of the weights, relative to the control's, over the clear entries.

    A change is the difference of two numbers of the weight's dtype: what that rounds is no difference.

    Args:
        mine: a split's step.
        control: the control's.
        clear: see `clear_to`.
        weights: those that both begin with.

    Returns:
        None where a change was not seen, where too little of the gradient is clear to say anything, and of weights in
        float16; NaN where it spoils weights that the control's does not.
    """
    chosen = clear_entries(mine, control, clear)
    if chosen is None or mine.change is None or control.change is None:
        return None
    if weights is not None and bool((weights.unit == FLOAT16).any()):
        return None
    chosen &= np.isfinite(control.change)
    due = control.change[chosen].astype(np.float64)
    off = np.abs(mine.change[chosen].astype(np.float64) - due)
    if weights is not None:
        off = np.maximum(0.0, off - rounding_of(control.change, weights)[chosen])
    norm, error = float(np.linalg.norm(due)), float(np.linalg.norm(off))
    if not math.isfinite(error):
        return math.nan
    if norm == 0:
        return 0.0 if error == 0 else math.inf
    return error / norm


def clear_entries(mine: StepObservation, control: StepObservation, clear: float) -> npt.NDArray[np.bool_] | None:
    """Where both gradients, as they were applied, are the same and more than noise; None where that is too little."""
    if 0 not in mine.gradients or 0 not in control.gradients:
        return None
    right = control.gradients[0].astype(np.float64, copy=False) * control.clip_coefficient
    error = np.abs(mine.gradients[0].astype(np.float64, copy=False) * mine.clip_coefficient - right)
    chosen: npt.NDArray[np.bool_] = error < clear * np.abs(right)
    whole = float(np.square(right).sum())
    if not math.isfinite(whole) or whole == 0 or float(np.square(right[chosen]).sum()) < ENOUGH * whole:
        return None
    return chosen


def rounding_of(change: Vector, weights: HeldWeights) -> Vector:
    """By how much a change of these weights may be off by itself, ``[coordinates]``: a unit in the last place."""
    rounded: Vector = weights.unit * (np.abs(weights.values) + np.abs(change))
    return rounded


DECAYING = 0.3
"""A parameter decays where it shrinks by this part of what the one shrinks by that shrinks most."""
LEFT = 0.1
"""What shrinking may leave over of a difference that it explains."""


def shrinking(difference: Vector, weights: HeldWeights, coordinates: Coordinates) -> float | None:
    """By which part of themselves the weights are smaller, if that is what a difference of two changes is.

    Args:
        difference: of two changes of the weights, ``[coordinates]``, 0 where nothing is known.
        weights: those that both begin with.
        coordinates: which parameter each entry is of: a decay need not be of all of them.
    """
    known = (difference != 0) & np.isfinite(difference)
    w = np.where(known, weights.values, 0.0).astype(np.float64)
    d = np.where(known, difference, 0.0).astype(np.float64)
    of_weights, of_difference = (norms_by_parameter(one, coordinates) for one in (w, d))
    share = np.divide(of_difference, of_weights, out=np.zeros_like(of_weights), where=of_weights > 0)
    decays = share > DECAYING * share.max(initial=0.0)
    mask = np.repeat(decays, coordinates.sizes)
    norm = float(np.square(w[mask]).sum())
    if norm == 0:
        return None
    part = float(w[mask] @ d[mask]) / norm
    left = float(np.linalg.norm(d - part * np.where(mask, w, 0.0)))
    return -part if left <= LEFT * float(np.linalg.norm(d)) else None
