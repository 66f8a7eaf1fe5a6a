"""A term of a program's loss that does not depend on its rows: it enters once per micro-batch, however small.

For example a weight penalty that is added to each micro-batch's loss. With ``g_i`` the gradient of a row and ``p``
that of the term, a micro-batch of rows ``M`` adds ``sum(g_i for i in M) + p``. Trained one by one, B rows give B times
``p``; a step of k micro-batches gives k times, so ``p`` is the difference divided by ``B - k``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


def constant_in(rows: Sequence[Vector], steps: Sequence[Vector], micro_batches: int, most: float) -> Vector | None:
    """The term, if the rows of each step and the step itself differ by one.

    Args:
        rows: for each step, what each row adds when trained alone, ``[rows, coordinates]``.
        steps: the gradient of each step, ``[coordinates]``.
        micro_batches: number of one process's micro-batches in such a step.
        most: how far it may differ between steps, relative to a step's gradient.

    Returns:
        ``[coordinates]``; None if there are fewer than two steps, or their differences are not the same vector.
    """
    if len(steps) < 2 or any(len(one) <= micro_batches for one in rows):
        return None
    terms = [(one.sum(axis=0) - step) / (len(one) - micro_batches) for one, step in zip(rows, steps, strict=True)]
    sizes = [float(np.linalg.norm(step)) for step in steps]
    found: Vector = np.mean(terms, axis=0)
    for term, size, one in zip(terms, sizes, rows, strict=True):
        # an error in the term is this much larger in the sum over the rows
        if not float(np.linalg.norm(term - found)) * (len(one) - micro_batches) <= most * size:
            return None
    return found if float(np.linalg.norm(found)) > most * max(sizes) / len(rows[0]) else None


def times_of(term: Vector, difference: Vector, size: float, most: float) -> float | None:
    """The multiple of the term that a difference of two gradients is; None if it is not a multiple.

    Args:
        term: ``[coordinates]``.
        difference: the same shape.
        size: the norm of the right gradient.
        most: the largest residual, relative to ``size``.
    """
    times = float(difference @ term) / float(term @ term)
    left = float(np.linalg.norm(difference - times * term))
    return times if left <= most * size else None
