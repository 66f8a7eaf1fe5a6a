"""Relative differences, and which parameter differs most."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.record import Coordinates, WorstParameter

Vector = npt.NDArray[np.floating[Any]]


def relative(value: float | None, other: float | None) -> float | None:
    """``|value - other| / |other|``; None if either is missing, NaN if either is not finite."""
    if value is None or other is None:
        return None
    if not (math.isfinite(value) and math.isfinite(other)):
        return math.nan
    if other == 0:
        return 0.0 if value == 0 else math.inf
    return abs(value - other) / abs(other)


def gradient_error(gradient: Vector, other: Vector) -> float:
    """``||g - g'|| / ||g'||`` over the kept coordinates; NaN if either is not finite."""
    norm = float(np.linalg.norm(other.astype(np.float64, copy=False)))
    error = float(np.linalg.norm(gradient.astype(np.float64, copy=False) - other))
    if not (math.isfinite(norm) and math.isfinite(error)):
        return math.nan
    if norm == 0:
        return 0.0 if error == 0 else math.inf
    return error / norm


def loss_difference(value: float | None, other: float | None, rounding: float) -> float | None:
    """`relative`, after subtracting ``rounding``, the absolute difference that rounding explains."""
    if value is None or other is None or not (math.isfinite(value) and math.isfinite(other)):
        return relative(value, other)
    return relative(other + max(0.0, abs(value - other) - rounding), other)


def norms_by_parameter(values: Vector, coordinates: Coordinates) -> npt.NDArray[np.float64]:
    """The norm of each parameter's kept entries of ``[coordinates]``: ``[parameters]``, 0 for one without any."""
    found = np.zeros(len(coordinates.names))
    # an empty parameter has no entries to sum; reduceat would take its neighbour's
    named = [at for at, size in enumerate(coordinates.sizes) if size]
    if named:
        starts = [coordinates.starts[at] for at in named]
        found[named] = np.sqrt(np.add.reduceat(np.square(values.astype(np.float64, copy=False)), starts))
    return found


def worst_parameter(gradient: Vector, right: Vector, coordinates: Coordinates) -> WorstParameter | None:
    """The parameter whose entries differ most from the right ones, relative to those entries' own norm.

    Parameters whose right gradient is negligible (below 1e-6 of the whole) are measured relative to that share instead.
    """
    whole = float(np.linalg.norm(right))
    if not coordinates.names or not math.isfinite(whole) or whole == 0:
        return None
    norms, off = norms_by_parameter(right, coordinates), norms_by_parameter(gradient - right, coordinates)
    errors = off / np.maximum(norms, 1e-6 * whole)
    worst = int(np.argmax(errors))  # the first NaN, if there is one
    return WorstParameter(coordinates.names[worst], float(errors[worst]))
