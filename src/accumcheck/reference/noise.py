"""The noise floor: the measured effect of floating point alone on this batch.

The right loss and gradient of one global batch are computed again in other orders and micro-batch shapes, accumulated
in the run's own dtype as in a stack, and compared with the sum of the single samples.

Rounding repeats itself: the same samples, back-propagated from the same number, round the same way in every order
and nearly the same way in every shape, so two such passes show less rounding than a stack may have. Passes therefore
also differ in the factor on the loss before it is back-propagated, as in stacks (1/k, n/N, a loss
scale): a factor that is exact in every dtype, and by which the gradient is divided again. Each also has an order of its
own: sums over the rows of a batch round by their order, so that passes in one order agree with each other and may all
differ from a split.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.record import Divergence, Recomputation
from accumcheck.reference.samples import LossOf
from accumcheck.workload.assemble import Workload

CEILING = {"float64": 1e-5, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Beyond this, a difference between batches and single samples is not rounding: the model depends on its batch."""


FACTORS = (1.0, 83 / 64, 109 / 64, 37 / 32, 3 / 2, 61 / 32)
"""What the loss is multiplied by, pass by pass: less than 2, not powers of two, exact with bfloat16's eight digits."""

DEGREES = 24
"""Degrees of freedom wanted for the noise of one sample's weight: of fewer, a bound a false alarm in 100,000 runs wide
would be a fifth wider or more (Student's t)."""


@dataclass(frozen=True, slots=True)
class RightAnswer:
    """The right loss, gradient (``[coordinates]``) and gradient norm of one global batch."""

    loss: float
    gradient: npt.NDArray[np.float64]
    grad_norm: float


@dataclass(frozen=True, slots=True)
class Noise:
    """The measured noise.

    ``floor``: the largest relative differences of ``passes``, which are all below the dtype's ceiling;
    ``batch_effect``: the largest difference, in loss or gradient, of passes above it: caused by batching, not by
    rounding. 0 if there are none.
    """

    floor: Divergence
    passes: tuple[Recomputation, ...]
    batch_effect: float


NO_NOISE = Noise(Divergence(None, None, None), (), 0.0)
"""For a batch without a finite loss and gradient, with which nothing can be compared."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """One recomputation: ``size`` samples at once, in this order, from the loss times ``factor``."""

    words: str
    order: tuple[int, ...]
    size: int
    factor: float


def measure_noise(
    workload: Workload,
    loss_of: LossOf,
    members: Sequence[int],
    tokens: npt.NDArray[np.int64],
    truth: RightAnswer,
    reader: GradientReader,
    shapes: Sequence[int],
    dtype: str,
) -> Noise:
    """Compute the batch again in micro-batches of each of ``shapes`` samples.

    Shape 1 has as many accumulation steps as the batch has samples, more than any split can have: when a small
    gradient is added to the large sum before it, the run's own dtype loses its last digits, the more often
    the more steps there are.
    """
    total = int(tokens[list(members)].sum())
    passes: list[Recomputation] = []
    effect = 0.0
    for one in _passes(members, shapes):
        workload.model.zero_grad(set_to_none=True)
        loss, known_to = 0.0, 0.0
        for start in range(0, len(one.order), one.size):
            chosen = list(one.order[start : start + one.size])
            if not tokens[chosen].any():
                continue  # nothing is predicted there
            mean, _ = loss_of(workload.collator([workload.samples[index] for index in chosen]))
            part = mean * (int(tokens[chosen].sum()) / total)
            torch.autograd.backward(part, torch.full_like(part, one.factor))
            loss += float(part.detach())
            known_to = torch.finfo(mean.dtype).eps / 2
        entries, norm = reader.read(workload.model)
        entries, norm = entries / one.factor, norm / one.factor
        # a head that computes its loss in bfloat16 returns three digits, even if two such numbers agree
        of_loss = max(_relative(abs(loss - truth.loss), abs(truth.loss)), known_to)
        of_norm = _relative(abs(norm - truth.grad_norm), truth.grad_norm)
        of_gradient = _relative(float(np.linalg.norm(entries - truth.gradient)), float(np.linalg.norm(truth.gradient)))
        if not all(map(math.isfinite, (of_loss, of_norm, of_gradient))):
            continue  # an overflow of the run's own dtype is not a measurement
        if one.size > 1 and max(of_loss, of_gradient) > CEILING[dtype]:
            effect = max(effect, of_loss, of_gradient)
            continue
        apart = Divergence(of_loss, of_norm, of_gradient)
        passes.append(Recomputation(one.words, one.size, apart, entries, one.factor, known_to))
    workload.model.zero_grad(set_to_none=True)
    return Noise(_largest([one.apart for one in passes]), tuple(passes), effect)


def _passes(members: Sequence[int], shapes: Sequence[int]) -> Iterator[_Pass]:
    """Each shape in turn, until there are enough numbers for the noise of one sample's weight, or no more factors."""
    if not members:
        return
    enough = max(len(shapes), 1 + math.ceil(DEGREES / len(members)))
    for number, factor in zip(range(enough), FACTORS, strict=False):
        order, words = list(reversed(members)), "last sample first"
        if number:
            random.Random(number).shuffle(order)
            words = "shuffled"
        yield _Pass(words, tuple(order), shapes[number % len(shapes)], factor)


def _relative(difference: float, right: float) -> float:
    """The difference relative to the right value; 1 for any difference from a right value of 0."""
    return difference / right if right else float(difference != 0)


def _largest(found: Sequence[Divergence]) -> Divergence:
    if not found:
        return Divergence(None, None, None)
    return Divergence(
        loss=max(one.loss or 0.0 for one in found),
        grad_norm=max(one.grad_norm or 0.0 for one in found),
        gradient=max(one.gradient or 0.0 for one in found),
    )
