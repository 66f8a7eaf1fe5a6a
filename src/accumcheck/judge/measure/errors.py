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


def worst_parameter(gradient: Vector, right: Vector, coordinates: Coordinates) -> WorstParameter | None:
    """The parameter whose entries differ most from the right ones, relative to those entries' own norm.

    Parameters whose right gradient is negligible (below 1e-6 of the whole) are measured against that share instead.
    """
    whole = float(np.linalg.norm(right))
    if not coordinates.names or not math.isfinite(whole) or whole == 0:
        return None
    # an empty parameter has no entries to sum, and reduceat would take its neighbour's
    named = [at for at, size in enumerate(coordinates.sizes) if size]
    starts = [coordinates.starts[at] for at in named]
    norms = np.sqrt(np.add.reduceat(np.square(right), starts))
    errors = np.sqrt(np.add.reduceat(np.square(gradient - right), starts)) / np.maximum(norms, 1e-6 * whole)
    worst = int(np.argmax(errors))  # the first that is not a number, if any is
    return WorstParameter(coordinates.names[named[worst]], float(errors[worst]))
