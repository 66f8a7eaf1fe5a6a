"""Samples as parts of their step's loss, if the loss is passed the count of predictions of the whole step.

Such a loss is a sum over the micro-batches of a step, so it must be divided by nothing else. A term in it that the
count does not divide, such as a penalty that is added afterwards, is usually a mean over its own micro-batch, and k of
these add up to k times as much. The right value of such a term is that of the whole step in one micro-batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.record import UndividedTerm
from accumcheck.reference.alone import SamplesAlone
from accumcheck.reference.batch_terms import AdditiveTerm
from accumcheck.reference.losses import Losses
from accumcheck.reference.samples import Batch
from accumcheck.reference.together import SAME, CountedLoss, combination, gradient_of
from accumcheck.workload.assemble import Workload

VERY_MANY = 2.0**40
"""If the count is this many times larger, what remains of a loss is what the count does not divide: the rest is smaller
than the rounding of float32."""

Vector = npt.NDArray[np.float64]


class CountedSteps:
    """The samples of each step, as parts of its loss.

    Args:
        workload: the model and all samples.
        losses: of the stack, ``counted`` among them.
        alone: has the count of each step's predictions.
        dtype: in which the model computes.
    """

    def __init__(self, workload: Workload, losses: Losses, alone: SamplesAlone, dtype: str) -> None:
        assert losses.counted is not None
        self._counted: CountedLoss = losses.counted
        self._workload, self._dtype = workload, dtype
        self._alone, self._losses = alone, losses
        self._members = alone.job.membership
        self._sizes = [len(members) for members in self._members]
        self._counts = [
            losses.counts.get(step, float(alone.tokens[list(members)].sum()))
            for step, members in enumerate(self._members)
        ]
        self._masses: Vector | None = None
        self._by_k = False
        self.term: UndividedTerm | None = None
        """What the count does not divide, if that is not a sum over samples."""

    @property
    def is_one_batch(self) -> bool:
        """Whether `together` is right for any batch; otherwise it does not know the weights of the batch's samples."""
        return self._masses is None or len(np.unique(self._masses)) == 1

    def trained(self, index: int, step: int) -> tuple[torch.Tensor, int]:
        """One sample as the stack trains it in micro-batches of one sample: a step is the sum of these."""
        at = self._at(step)
        return self._loss([index], at, accumulated=self._sizes[at]) * self._sizes[at], 1

    def part(self, index: int, step: int) -> tuple[torch.Tensor, int]:
        """One sample's part of its step in one micro-batch, times the number of its samples."""
        at = self._at(step)
        loss = self._loss([index], at)
        if self._masses is None:
            return loss * self._sizes[at], 1
        term = self._undivided([index], at)
        return (loss - term + term * (self._share(index, at) * self._times(at))) * self._sizes[at], 1

    def together(self, batch: Batch) -> tuple[torch.Tensor, int]:
        """Several samples of the present step: the same, as a mean over them."""
        rows, at = self._losses.samples_in(batch), self._at(self._alone.step)
        loss = self._counted(batch, self._counts[at], 1)
        if self._masses is None:
            return loss * (self._sizes[at] / rows), rows
        term = self._counted(batch, self._counts[at] * VERY_MANY, 1)
        return (loss - term) * (self._sizes[at] / rows) + term * self._times(at), rows

    def find_term(
        self, reader: GradientReader, size: int, by: str | None, control: npt.NDArray[np.floating[Any]] | None = None
    ) -> None:
        """Look for a term that the count does not divide, and for the weights of the samples in it.

        The term may be divided by this process's accumulation steps, which the program has read when it began. That
        cannot be told from one that is not divided at all, except by the control. If the loss cannot be computed in
        this way, there is no such term: it may be a program's, and anything.

        Args:
            reader: reads the gradient.
            size: the number of samples in a batch, at least 2.
            by: what computes the loss, in words; None for the model.
            control: the gradient that the control applied in the first step, ``[coordinates]``; None if not known.
        """
        try:
            self._find(reader, size, by, control)
        except Exception:
            self._masses, self._by_k, self.term = None, False, None

    def _find(
        self, reader: GradientReader, size: int, by: str | None, control: npt.NDArray[np.floating[Any]] | None
    ) -> None:
        """See `find_term`."""
        first = list(self._members[0]) if self._members else []
        some = first[: max(size, 2)]
        if len(some) < 2 or not self._is_affine(some, reader):
            return
        parts = np.stack([self._gradient(self._undivided([index], 0), reader) for index in some])
        whole = self._gradient(self._undivided(some, 0), reader)
        of_loss = self._gradient(self._loss(some, 0), reader)
        allowed = SAME[self._dtype]
        if not float(np.linalg.norm(whole)) > allowed * float(np.linalg.norm(of_loss)):
            return
        if float(np.linalg.norm(whole - parts.sum(axis=0))) <= allowed * float(np.linalg.norm(whole)):
            return  # it is a sum over its samples
        self._masses = np.ones(len(self._alone.tokens))
        weights, left = combination(whole, parts)
        if left <= allowed and not float(np.ptp(weights)) <= 10 * allowed * float(np.abs(weights).max()):
            self._weigh(first, size, reader)
        if control is not None:
            self._by_k = self._is_divided(first, reader, control.astype(np.float64))
        self.term = UndividedTerm(self._name(some, by), self._of_steps(reader))

    def _weigh(self, first: Sequence[int], size: int, reader: GradientReader) -> None:
        """Find the weight of each sample in the term, relative to the first one; equal weights if there are none."""
        every = list(dict.fromkeys(index for members in self._members for index in members))
        pivot, others = first[0], [index for index in every if index != first[0]]
        own = self._gradient(self._undivided([pivot], 0), reader)
        found = np.ones(len(self._alone.tokens))
        for start in range(0, len(others), max(size, 2) - 1):
            batch = [pivot, *others[start : start + max(size, 2) - 1]]
            parts = [own, *(self._gradient(self._undivided([index], 0), reader) for index in batch[1:])]
            weights, left = combination(self._gradient(self._undivided(batch, 0), reader), np.stack(parts))
            if not left <= SAME[self._dtype] or not (weights > 0).all():
                return
            found[batch[1:]] = weights[1:] / weights[0]
        self._masses = found

    def _is_divided(self, first: Sequence[int], reader: GradientReader, control: Vector) -> bool:
        """Whether the control shows that the program divides the term by the accumulation steps with which it began."""
        at_once, in_turn = (
            self._gradient(self._loss(first[:1], 0, times=VERY_MANY, accumulated=steps), reader)
            for steps in (1, self._sizes[0])
        )
        if float(np.linalg.norm(at_once - in_turn)) > SAME[self._dtype] * float(np.linalg.norm(at_once)):
            return False  # it follows the accumulation steps that it is given here
        (term,) = self._of_steps(reader, 1)
        parts = (self._gradient(self._loss([one], 0) - self._undivided([one], 0), reader) for one in first)
        main = sum(parts, np.zeros_like(term))
        off, off_divided = (float(np.linalg.norm(control - main - times * term)) for times in (1, self._sizes[0]))
        return off_divided < off

    def _is_affine(self, some: Sequence[int], reader: GradientReader) -> bool:
        """Whether the loss is one part over the count, and one that does not depend on it."""
        once, term = (self._gradient(one, reader) for one in (self._loss(some, 0), self._undivided(some, 0)))
        twice = self._gradient(self._loss(some, 0, times=2.0), reader)
        size = float(np.linalg.norm(once))
        return size > 0 and float(np.linalg.norm(twice - (once + term) / 2)) <= SAME[self._dtype] * size

    def _of_steps(self, reader: GradientReader, most: int | None = None) -> Vector:
        """The gradient of the term in each of the first steps, all if ``most`` is None: ``[steps, coordinates]``."""
        found = []
        for at, members in enumerate(self._members[:most]):
            parts = (self._gradient(self._undivided([one], at), reader) * self._share(one, at) for one in members)
            found.append(sum(parts, np.zeros(sum(reader.coordinates.sizes))) * self._times(at))
        return np.stack(found)

    def _name(self, some: Sequence[int], by: str | None) -> str:
        """The term: a number that the model returns and that is added to the loss, or the code that adds it."""
        with AdditiveTerm(self._workload.model) as additive:
            additive.of(self._undivided(some, 0))
        if additive.outputs:
            return f"{' and '.join(additive.outputs)}, which the model returns"
        return f"a term of {by}" if by is not None else f"a term of {type(self._workload.model).__name__}'s loss"

    def _share(self, index: int, at: int) -> float:
        masses = self._masses
        return 1.0 if masses is None else float(masses[index] / masses[list(self._members[at])].sum())

    def _times(self, at: int) -> float:
        """What the term is multiplied by because it was divided by the accumulation steps of this process."""
        return float(self._sizes[at]) if self._by_k else 1.0

    def _at(self, step: int) -> int:
        return step if step < len(self._sizes) else 0

    def _batch(self, indices: Sequence[int]) -> Batch:
        return self._workload.collator([self._workload.samples[index] for index in indices])

    def _loss(self, indices: Sequence[int], at: int, *, times: float = 1.0, accumulated: int = 1) -> torch.Tensor:
        return self._counted(self._batch(indices), self._counts[at] * times, accumulated)

    def _undivided(self, indices: Sequence[int], at: int) -> torch.Tensor:
        return self._loss(indices, at, times=VERY_MANY)

    def _gradient(self, loss: torch.Tensor, reader: GradientReader) -> Vector:
        if not loss.requires_grad:
            return np.zeros(sum(reader.coordinates.sizes))
        return gradient_of(self._workload, loss, reader)
