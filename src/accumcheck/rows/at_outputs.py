"""Rows in two runs of a program, compared at the outputs of its model: has the loss only weighted them differently?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from accumcheck.record.outputs import OutputRows

Vector = npt.NDArray[np.float64]

SAME = {"float64": 1e-5, "float32": 2e-4, "float16": 1e-2, "bfloat16": 3e-2}
"""How far two descriptions of the same thing may differ, relative to their norm."""
_WEIGHTED = 10.0
"""Factors count as equal up to this many times what derivatives may differ by."""
_SMALL = 0.1
"""A row smaller than this, relative to the largest, is known as precisely as one of this size."""
ALWAYS_PARALLEL = 2
"""With so few entries, two derivatives are parallel whatever the loss: the two logits of a softmax have one degree of
freedom."""


@dataclass(frozen=True)
class Compared:
    """Two runs' rows, all ``[rows, outputs]``.

    ``times``: the factor between their derivatives, NaN where both are zero, infinite where only the other's is;
    ``parallel``: whether a positive factor
    is all that differs; ``equal``: whether the outputs themselves are the same.
    """

    times: Vector
    parallel: npt.NDArray[np.bool_]
    equal: npt.NDArray[np.bool_]


def compared(mine: OutputRows, other: OutputRows, dtype: str) -> Compared | None:
    """Compare the rows of one run with those of another, in the same order; None if they have other outputs.

    Args:
        mine: of one run.
        other: of the other; ``times`` is ``mine`` over ``other``.
        dtype: in which the model computes.
    """
    if mine.names != other.names or mine.gradients.shape != other.gradients.shape:
        return None
    of, by, allowed = mine.gradients, other.gradients, SAME[dtype]
    sizes, others = np.linalg.norm(of, axis=2), np.linalg.norm(by, axis=2)
    least, least_other = (allowed * _SMALL * one.max(axis=0, initial=0.0) for one in (sizes, others))
    nothing = (sizes <= least) & (others <= least_other)
    there = others > 0
    times = np.einsum("roi,roi->ro", of, by) / np.where(there, others, 1.0) ** 2
    off = np.linalg.norm(of - times[..., None] * by, axis=2)
    unsure = least + times * least_other  # what is small may be rounding in both
    parallel = nothing | (there & (times > 0) & (off <= allowed * sizes + unsure))
    times = np.where(nothing, np.nan, np.where(there, times, np.inf))
    apart = np.linalg.norm(mine.values - other.values, axis=2)
    scale = np.linalg.norm(other.values, axis=2)
    equal = nothing | (apart <= allowed * (scale + _SMALL * scale.max(axis=0, initial=0.0)))
    return Compared(times, parallel, equal)


def unmixed(mine: OutputRows, other: OutputRows, dtype: str) -> Literal["row", "outputs"] | None:
    """Whether rows that share their micro-batch with other rows in each run are the same there, but for weights.

    If the outputs of a row do not change with its neighbours, and its derivative only by a factor, then neither the
    model nor the loss mixes rows. A derivative with one degree of freedom would always fit: then the factor must be the
    same for all rows of a micro-batch.

    Args:
        mine: rows in micro-batches of several.
        other: the same rows in the same order, in other micro-batches.
        dtype: in which the model computes.

    Returns:
        What differs: see `ReferenceObservation`; None if rows are mixed, or that cannot be seen.
    """
    found = compared(mine, other, dtype)
    if found is None or np.isnan(found.times).all():
        return None
    if not (found.parallel & found.equal).all():
        return None
    others = other.batches if len(set(other.batches.tolist())) < len(other.batches) else np.zeros_like(other.batches)
    groups = mine.batches * (int(others.max()) + 1) + others
    for at, entries in enumerate(np.minimum(mine.entries, other.entries)):
        if entries <= ALWAYS_PARALLEL and not _is_constant_in(found.times[:, at], groups, SAME[dtype]):
            return None
    return "row" if all(is_constant(row, SAME[dtype]) for row in found.times) else "outputs"


def is_constant(times: Vector, same: float) -> bool:
    """Whether these factors are one and the same; true if there are none.

    They are quotients of small numbers, and so may differ by several times what derivatives may.
    """
    known = times[np.isfinite(times)]
    return not len(known) or float(np.ptp(known)) <= _WEIGHTED * same * float(np.abs(known).max())


def _is_constant_in(times: Vector, groups: npt.NDArray[np.int64], allowed: float) -> bool:
    """Whether a factor is the same within each group; and that some group shows it."""
    several = False
    for group in np.unique(groups):
        known = times[(groups == group) & np.isfinite(times)]
        several |= len(known) > 1
        if not is_constant(known, allowed):
            return False
    return several


def chosen(seen: OutputRows, rows: Sequence[int]) -> OutputRows:
    """These rows, in this order."""
    at = list(rows)
    return OutputRows(seen.names, seen.entries, seen.batches[at], seen.gradients[at], seen.values[at])


def joined(parts: Sequence[OutputRows]) -> OutputRows | None:
    """The rows of several processes or steps, one after the other; None if they have other outputs."""
    if not parts or any(one.names != parts[0].names for one in parts):
        return None
    batches, before = [], 0
    for one in parts:
        batches.append(one.batches + before)
        before = int(batches[-1].max(initial=before - 1)) + 1
    return OutputRows(
        parts[0].names,
        tuple(min(each) for each in zip(*(one.entries for one in parts), strict=True)),
        np.concatenate(batches),
        np.concatenate([one.gradients for one in parts]),
        np.concatenate([one.values for one in parts]),
    )
