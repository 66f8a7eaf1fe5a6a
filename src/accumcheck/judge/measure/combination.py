"""One gradient as a combination of its rows' gradients: of all parameters at once, or of each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.recovery import System
from accumcheck.record import Coordinates

Vector = npt.NDArray[np.float64]

ENTRIES_A_ROW = 3
"""A parameter is solved for by itself where it has so many entries for each row: else any gradient is a combination."""
MOST_UNKNOWN = 0.5
"""This part of the parameters may have no gradient in any row alone, as those that are frozen there."""
SMALL = 1e-6
"""A weight this small beside the largest is none."""


@dataclass(frozen=True)
class Combination:
    """What a gradient is made of.

    ``weights``: ``[rows]``; ``rows``: ``[rows, coordinates]``, which these weights give the gradient of; ``left``: what
    is left over, relative to its norm; ``own``: ``[coordinates]``, where rows say nothing of it.
    """

    weights: Vector
    rows: Vector
    left: float
    own: npt.NDArray[np.bool_]


def combined(
    gradient: Vector, entries: npt.NDArray[np.int64], rows: Vector, places: Coordinates, most: float
) -> Combination:
    """Solve a gradient for the weights of its rows; if need be each parameter for itself.

    A parameter may be multiplied by a number of its own, or a loss may have terms with denominators of their own that
    reach different parameters: then each is a combination of its rows.

    Args:
        gradient: at the ``entries`` of the coordinates that are known of it, ``[entries]``.
        entries: the same shape.
        rows: ``[rows, coordinates]``.
        places: which parameter each coordinate belongs to.
        most: how much may be left over.
    """
    nowhere = np.zeros(rows.shape[1], dtype=bool)
    weights, left = _solved(gradient, rows[:, entries])
    whole = Combination(weights, rows, left, nowhere)
    if left <= most:
        return whole
    owner = np.repeat(np.arange(len(places.names)), places.sizes)
    parts = {at: np.flatnonzero(owner[entries] == at) for at in range(len(places.names))}
    norms = {at: float(np.linalg.norm(gradient[part])) for at, part in parts.items()}
    found = _by_themselves(gradient, rows[:, entries], parts, most)
    if not found:
        return whole
    first = found[max(found, key=lambda at: norms[at])]
    scaled, strange, unknown = rows.copy(), nowhere.copy(), 0
    for at, part in parts.items():
        of = found.get(at)
        if of is None:
            of = _nearest(gradient[part], rows[:, entries[part]], list(found.values()), most)
        if of is None and rows[:, owner == at].any():
            return whole
        if of is None:
            unknown += norms[at] > 0
            strange |= owner == at
        else:
            times = np.divide(of, first, out=np.zeros_like(of), where=np.abs(first) > SMALL * np.abs(first).max())
            scaled[:, owner == at] = rows[:, owner == at] * times[:, None]
    if unknown > MOST_UNKNOWN * len(parts):
        return whole
    kept = ~strange[entries]
    off = gradient[kept] - first @ scaled[:, entries[kept]]
    return Combination(first, scaled, float(np.linalg.norm(off)) / float(np.linalg.norm(gradient)), strange)


def _by_themselves(
    gradient: Vector, rows: Vector, parts: dict[int, npt.NDArray[np.int64]], most: float
) -> dict[int, Vector]:
    """The weights of the rows in each parameter that is large enough to tell, and is a combination of them."""
    found = {}
    for at, part in parts.items():
        if len(part) >= ENTRIES_A_ROW * len(rows) and bool(gradient[part].any()):
            weights, left = _solved(gradient[part], rows[:, part])
            if left <= most and weights.sum() > 0:
                found[at] = weights
    return found


def _nearest(gradient: Vector, rows: Vector, weights: Sequence[Vector], most: float) -> Vector | None:
    """The weights of another parameter that give this one's gradient, too, up to a factor."""
    size = float(np.linalg.norm(gradient))
    for one in weights:
        along = one @ rows
        square = float(along @ along)
        times = float(gradient @ along) / square if square > 0 else 0.0
        if float(np.linalg.norm(gradient - times * along)) <= most * size:
            return one * times
    return None


def _solved(gradient: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    system = System.of(rows)
    assert system is not None, "rows are finite"
    ((weights, left),) = system.solve([gradient])
    return weights, left
