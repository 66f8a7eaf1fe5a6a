"""Measure the difference between the weight changes of a split and of the control."""

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
"""An entry of the gradient is clear if it is known with this relative error. An adaptive optimizer divides by the size
of the gradient, so it gives an entry that is noise the same weight as any other."""
NOISE = 10.0
"""Times the gradient's tolerance: the smallest relative error of clear entries, for dtypes that round more."""
CLEAREST = 0.1
"""The largest relative error of clear entries in any dtype."""
ENOUGH = 0.9
"""The clear entries must contain this part of the gradient's squared norm, else the gradient itself differs."""
SAFETY = 10.0
"""Times the difference that the gradient's noise explains in a clear entry: matrix optimizers mix entries."""
FLOAT16 = 2.0**-10
"""The unit of float16. Optimizers keep their state in the dtype of the weights, in which the square of a gradient below
2**-12 is 0. Adam then divides by 0 or by the smallest number, depending on the last bit of the gradient."""
ITS_OWN = {"bfloat16": 2.0**-7, "float16": 2.0**-10}
"""The rounding error of a clipped gradient. ``clip_grad_norm_`` uses the gradient's dtype: it rounds the norm of each
tensor, and then the norm of these norms, each by half a unit in the last place."""


def allowed_change(tolerances: Tolerances) -> float:
    """The largest relative difference of two weight changes, in clear entries, that the gradients explain."""
    return max(SAFETY * CLEAR, 2 * clear_to(tolerances))


def clear_to(tolerances: Tolerances) -> float:
    """The relative error with which an entry must be known to be clear."""
    return min(CLEAREST, max(CLEAR, NOISE * (tolerances.gradient or 0.0)))


def change_difference(
    mine: StepObservation, control: StepObservation, clear: float, weights: HeldWeights | None = None
) -> float | None:
    """The difference of two weight changes, relative to the control's, over the clear entries.

    A change is the difference of two numbers in the dtype of the weights, whose rounding does not count.

    Args:
        mine: the step of a split.
        control: the step of the control.
        clear: see `clear_to`.
        weights: the weights at the start of both steps.

    Returns:
        The difference. None if a change was not seen, if too little of the gradient is clear, or if the weights are
        float16. NaN if the step makes weights NaN that the control's step does not.
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
    """The entries in which both applied gradients agree and are more than noise; None if there are too few."""
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
    """The rounding error of a change of these weights, ``[coordinates]``: a unit in the last place."""
    rounded: Vector = weights.unit * (np.abs(weights.values) + np.abs(change))
    return rounded


DECAYING = 0.3
"""A parameter decays if it shrinks by at least this part of the largest shrinkage."""
LEFT = 0.1
"""The part of a difference that may remain unexplained by shrinkage."""


def shrinking(difference: Vector, weights: HeldWeights, coordinates: Coordinates) -> float | None:
    """The fraction by which the weights shrink, if this explains the difference of two weight changes; else None.

    Args:
        difference: the difference of two weight changes, ``[coordinates]``; 0 where nothing is known.
        weights: the weights at the start of both steps.
        coordinates: the parameter of each entry. A decay need not apply to all parameters.
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
