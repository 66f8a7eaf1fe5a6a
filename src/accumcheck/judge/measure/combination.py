"""One gradient as a combination of its rows' gradients: for all parameters at once, or for each separately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.recovery import System
from accumcheck.record import Coordinates

Vector = npt.NDArray[np.float64]

ENTRIES_A_ROW = 3
"""A parameter is solved separately if it has this many entries per row: with fewer, any gradient is a combination."""
MOST_UNKNOWN = 0.5
"""The share of parameters that may have no gradient in any single row, for example because they are frozen there."""
SMALL = 1e-6
"""A weight this small relative to the largest counts as zero."""


@dataclass(frozen=True)
class Combination:
    """The decomposition of a gradient.

    ``weights``: ``[rows]``; ``rows``: ``[rows, coordinates]``, which combine to the gradient with these weights;
    ``left``: the residual, relative to its norm; ``own``: ``[coordinates]`` that the rows do not explain.
    """

    weights: Vector
    rows: Vector
    left: float
    own: npt.NDArray[np.bool_]

    @property
    def is_one_of_many(self) -> bool:
        """Whether other weights give the same gradient: rows are more than parameters, or lie in each other's span."""
        system = System.of(self.rows)
        return system is not None and system.rank < len(self.rows)


def combined(
    gradient: Vector, entries: npt.NDArray[np.int64], rows: Vector, places: Coordinates, most: float
) -> Combination:
    """Solve a gradient for the weights of its rows; if necessary, each parameter separately.

    A parameter may have its own factor, or a loss may have terms with their own denominators that
    reach different parameters: then each parameter is a combination of its rows.

    Args:
        gradient: at the known ``entries`` of the coordinates, ``[entries]``.
        entries: the same shape.
        rows: ``[rows, coordinates]``.
        places: which parameter each coordinate belongs to.
        most: the largest residual.
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
    """The weights of the rows in each parameter that is large enough, and is a combination of them."""
    found = {}
    for at, part in parts.items():
        if len(part) >= ENTRIES_A_ROW * len(rows) and bool(gradient[part].any()):
            weights, left = _solved(gradient[part], rows[:, part])
            if left <= most and weights.sum() > 0:
                found[at] = weights
    return found


def _nearest(gradient: Vector, rows: Vector, weights: Sequence[Vector], most: float) -> Vector | None:
    """The weights of another parameter that also give this one's gradient, up to a factor."""
    size = float(np.linalg.norm(gradient))
    for one in weights:
        along = one @ rows
        square = float(along @ along)
        times = float(gradient @ along) / square if square > 0 else 0.0
        if float(np.linalg.norm(gradient - times * along)) <= most * size:
            return one * times
    return None


def _solved(gradient: npt.NDArray[np.float64], rows: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """The weights and the residual; of several solutions the one that is nearest to equal weights.

    With fewer parameters than rows, many weights give the same gradient. The least of them, by its norm, has negative
    ones also where every row counted the same.
    """
    system = System.of(rows)
    assert system is not None, "rows are finite"
    ((weights, left),) = system.solve([gradient], np.ones(len(rows)))
    return weights, left
