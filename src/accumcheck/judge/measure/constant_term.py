"""A term of a program's loss that does not depend on its rows: it enters once for every micro-batch, however small.

A penalty on the weights that is added to each micro-batch's loss is one. Where ``g_i`` is what a row asks for and ``p``
such a term, a micro-batch of the rows ``M`` adds ``sum(g_i for i in M) + p``. Trained one by one, B rows give B times
``p``; a step of k micro-batches gives k times, so that ``p`` is their difference divided by ``B - k``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


def constant_in(rows: Sequence[Vector], steps: Sequence[Vector], micro_batches: int, most: float) -> Vector | None:
    """The term, if that is what the rows of each step and the step itself differ by.

    Args:
        rows: of each step, what each row adds when it is trained alone, ``[rows, coordinates]``.
        steps: the gradient of each step, ``[coordinates]``.
        micro_batches: those of one process in such a step.
        most: how far it may differ from step to step, relative to a step's gradient.

    Returns:
        ``[coordinates]``; None where there are fewer than two steps, or their differences are not one vector.
    """
    if len(steps) < 2 or any(len(one) <= micro_batches for one in rows):
        return None
    terms = [(one.sum(axis=0) - step) / (len(one) - micro_batches) for one, step in zip(rows, steps, strict=True)]
    sizes = [float(np.linalg.norm(step)) for step in steps]
    found: Vector = np.mean(terms, axis=0)
    for term, size, one in zip(terms, sizes, rows, strict=True):
        # what is off by this much in the term is off by so much more in the sum over the rows
        if not float(np.linalg.norm(term - found)) * (len(one) - micro_batches) <= most * size:
            return None
    return found if float(np.linalg.norm(found)) > most * max(sizes) / len(rows[0]) else None


def times_of(term: Vector, difference: Vector, size: float, most: float) -> float | None:
    """How many times the term a difference of two gradients is; None where it is none of its multiples.

    Args:
        term: ``[coordinates]``.
        difference: the same shape.
        size: the norm of the right gradient.
        most: how much may be left over, relative to it.
    """
    times = float(difference @ term) / float(term @ term)
    left = float(np.linalg.norm(difference - times * term))
    return times if left <= most * size else None
