"""How a loss combines several samples if label counts do not explain it: measured on gradients of small batches.

A batch's gradient that is a combination of its samples' gradients is weighted by something: class weights, lengths,
ids. If it is not, samples affect each other, or terms have their own denominators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.reference.samples import Batch, LossOf
from accumcheck.workload.assemble import Workload

CountedLoss = Callable[[Batch, float, int], torch.Tensor]
"""From a batch, the count of predictions of its step and the accumulation steps, to its part of the step's loss."""

Vector = npt.NDArray[np.float64]

SAME = {"float64": 1e-5, "float32": 2e-4, "float16": 1e-2, "bfloat16": 3e-2}
"""The residual, relative to the norm of a batch's gradient, up to which it counts as a combination."""

_RCOND = 1e-10
"""Directions weaker than this, relative to the strongest, are left out of the solution."""


def gradient_of(workload: Workload, loss: torch.Tensor, reader: GradientReader) -> Vector:
    """The kept entries of a loss's gradient, ``[coordinates]``."""
    workload.model.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    entries, _ = reader.read(workload.model)
    workload.model.zero_grad(set_to_none=True)
    return entries.astype(np.float64, copy=False)


def combination(whole: Vector, parts: Vector) -> tuple[Vector, float]:
    """Solve ``whole = sum(a_i parts_i)`` by least squares.

    Args:
        whole: ``[coordinates]``.
        parts: ``[samples, coordinates]``.

    Returns:
        The ``a_i``, ``[samples]``, and the residual, relative to the norm of ``whole``.
    """
    gram = parts @ parts.T
    weights = np.linalg.pinv(gram, rcond=_RCOND, hermitian=True) @ (parts @ whole)
    norm = float(np.linalg.norm(whole))
    left = float(np.linalg.norm(whole - weights @ parts))
    return weights, left / norm if norm > 0 else 0.0


def masses_of(
    workload: Workload,
    loss_of: LossOf,
    gradients: npt.NDArray[np.floating[Any]],
    samples: Sequence[int],
    reader: GradientReader,
    *,
    size: int,
    dtype: str,
) -> Vector | None:
    """The weight of each sample in batches with others, relative to the first of ``samples``.

    Args:
        workload: the model and all samples.
        loss_of: computes a batch; only the loss is used.
        gradients: of each sample alone, ``[all samples, coordinates]``.
        samples: whose weights are wanted.
        reader: reads the same coordinates.
        size: the largest number of samples in a batch.
        dtype: of the model.

    Returns:
        ``[all samples]``, 0 for those not in ``samples``; None if some batch's gradient is not a combination of
        its samples' gradients, or gives one of them a negative weight.
    """
    if size < 2 or len(samples) < 2:
        return None
    pivot, others = samples[0], list(samples[1:])
    found = np.zeros(len(workload.samples))
    found[pivot] = 1.0
    for start in range(0, len(others), size - 1):
        batch = [pivot, *others[start : start + size - 1]]
        loss, _ = loss_of(workload.collator([workload.samples[index] for index in batch]))
        whole = gradient_of(workload, loss, reader)
        weights, left = combination(whole, gradients[batch].astype(np.float64))
        if not left <= SAME[dtype] or weights[0] <= 0 or bool((weights < -SAME[dtype] * weights[0]).any()):
            return None
        found[batch[1:]] = np.maximum(weights[1:], 0.0) / weights[0]
    return found


def adds_up(
    workload: Workload, loss_of: CountedLoss, batch: Sequence[int], count: float, reader: GradientReader, dtype: str
) -> bool:
    """Whether samples together give the sum of the single ones, if each is passed the count of the whole step."""
    if len(batch) < 2:
        return False
    each = [workload.samples[index] for index in batch]
    whole = gradient_of(workload, loss_of(workload.collator(each), count, 1), reader)
    parts = sum(gradient_of(workload, loss_of(workload.collator([one]), count, 1), reader) for one in each)
    norm = float(np.linalg.norm(whole))
    return norm > 0 and float(np.linalg.norm(whole - parts)) <= SAME[dtype] * norm


def unlike(gradients: npt.NDArray[np.floating[Any]], directions: npt.NDArray[np.floating[Any]], dtype: str) -> int:
    """How many samples' gradients are not parallel to those of the program's own backward passes.

    Args:
        gradients: ``[samples, coordinates]``.
        directions: the same shape.
        dtype: of the model.
    """
    first, second = gradients.astype(np.float64), directions.astype(np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    zero = (np.linalg.norm(first, axis=1) == 0) & (np.linalg.norm(second, axis=1) == 0)
    cosines = np.einsum("ij,ij->i", first, second) / np.where(norms > 0, norms, 1.0)
    # of two unit vectors at an angle a, the difference is a, and 1 - cos(a) is a^2 / 2
    return int((~zero & ~(cosines >= 1 - SAME[dtype] ** 2 * 8)).sum())
