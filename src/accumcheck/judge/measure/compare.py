"""One split's steps compared with the control's and the reference's: numbers only, no judgement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.errors import gradient_error, loss_difference, relative, worst_parameter
from accumcheck.judge.measure.recovery import System, blocks, weight_error
from accumcheck.judge.measure.sample_noise import SampleNoise
from accumcheck.record import (
    Divergence,
    ReferenceObservation,
    ReferenceStep,
    Split,
    SplitObservation,
    StepObservation,
    StepRecord,
)

NOTHING = Divergence(None, None, None)

_SUM = 1e-9
"""Relative tolerance between two sums of the same squares, in float64."""

_LEAST = 1e-300
"""The reported difference if single bits differ, but too little to change the norm."""


@dataclass(frozen=True)
class Truth:
    """The right answer for one step. ``gradient``: ``[coordinates]``; ``members``: sample indices, sorted.

    ``grad_norm`` is that of the whole gradient, None if it is not known.
    """

    loss: float
    grad_norm: float | None
    gradient: npt.NDArray[np.float64]
    members: tuple[int, ...]
    tokens: int

    def as_record(self, step: int) -> ReferenceStep:
        """The reported part."""
        return ReferenceStep(
            step, self.loss, math.nan if self.grad_norm is None else self.grad_norm, self.tokens, len(self.members)
        )


@dataclass(frozen=True)
class Recovered:
    """The weights of one step of one split. ``weights`` and ``ideal``: ``[members]``."""

    members: tuple[int, ...]
    weights: npt.NDArray[np.float64]
    ideal: npt.NDArray[np.float64]
    residual: float
    condition: float
    norm: float


@dataclass(frozen=True)
class Recovery:
    """The weights of every split in one step; ``gram``: ``g_i . g_j`` of that step's samples, ``[members, members]``.

    ``truth``: of these samples; ``noise``: for each recomputation of this step, the part of its difference from the
    truth that is in the weights; ``samples``: what rounding does to each weight, None if that was not measured.
    """

    truth: Truth
    of: Mapping[Split, Recovered]
    gram: npt.NDArray[np.float64]
    noise: tuple[float, ...] = ()
    samples: SampleNoise | None = None


def truth_of(reference: ReferenceObservation, step: int) -> Truth:
    """``sum(c_i l_i) / sum(c_i)`` and the same sum of gradients, over the samples of a step."""
    members = list(reference.membership[step])
    tokens = reference.tokens[members].astype(np.float64)
    total = max(tokens.sum(), 1.0)
    return Truth(
        loss=float(tokens @ reference.losses[members] / total),
        grad_norm=reference.grad_norms[step],
        gradient=np.concatenate([tokens / total @ part for _, part in blocks(reference.gradients, members)]),
        members=tuple(members),
        tokens=int(tokens.sum()),
    )


def samples_of(step: StepObservation) -> list[int]:
    """Every sample the step was fed, with repetitions, sorted; -1 for an unknown row."""
    return sorted(index for batch in step.micro_batches for index in batch.samples)


def compare_step(
    observed: StepObservation,
    control: StepObservation | None,
    truth: Truth | None,
    reference: ReferenceObservation | None,
    rounding: float = 0.0,
) -> StepRecord:
    """The step's record: its own numbers, and its relative differences from the control and the truth.

    ``rounding``: how far each reported loss may be off because of its limited decimals, absolute.
    """
    gradient, norm = observed.gradients[0], observed.grad_norms[0]
    fed = samples_of(observed)
    known = [index for index in fed if index >= 0]
    return StepRecord(
        step=observed.step,
        loss=observed.loss,
        grad_norm=norm,
        logged_grad_norm=observed.logged_grad_norm,
        tokens=int(reference.tokens[known].sum()) if reference is not None else 0,
        samples=len(fed),
        worst_parameter=(
            worst_parameter(gradient, truth.gradient, reference.coordinates)
            if truth is not None and reference is not None
            else None
        ),
        vs_control=(
            NOTHING
            if control is None
            else Divergence(
                loss_difference(observed.loss, control.loss, 2 * rounding),
                relative(norm, control.grad_norms[0]),
                gradient_error(gradient, control.gradients[0]),
            )
        ),
        vs_reference=(
            NOTHING
            if truth is None
            else Divergence(
                loss_difference(observed.loss, truth.loss, rounding),
                relative(norm, truth.grad_norm),
                gradient_error(gradient, truth.gradient),
            )
        ),
    )


def process_spread(observed: StepObservation) -> float:
    """How much the processes' gradients differ: the largest relative difference from process 0's; 0: bit-identical.

    A reduction gives every process bit-identical results: ring and tree algorithms (gloo, NCCL) distribute
    one result. A sharded model is gathered before it is read, by all processes from the same shards, so it is
    bit-identical as well. The whole norm is summed by each process separately and may differ by rounding.
    """
    first, norm = observed.gradients[0], observed.grad_norms[0]
    found = [0.0]
    for gradient in observed.gradients.values():
        if not np.array_equal(gradient, first, equal_nan=True):
            found.append(max(gradient_error(gradient, first), _LEAST))
    found += [off for one in observed.grad_norms.values() if not (off := relative(one, norm) or 0.0) <= _SUM]
    return math.nan if any(math.isnan(value) for value in found) else max(found)


def of_its_own(found: Recovered, observed: StepObservation, truth: Truth, tokens: int) -> Recovered:
    """The weights of samples that the step was fed or should be fed, without those that only other splits were fed.

    Args:
        found: of all samples that some split was fed.
        observed: the step.
        truth: what it is compared with.
        tokens: total of which the ideal weights in ``found`` are shares.
    """
    own = set(truth.members).union(samples_of(observed))
    kept = [position for position, member in enumerate(found.members) if member in own]
    return replace(
        found,
        members=tuple(found.members[position] for position in kept),
        weights=found.weights[kept],
        ideal=found.ideal[kept] * (tokens / max(truth.tokens, 1)),
    )


def recover(
    step: int,
    splits: Sequence[SplitObservation],
    truth: Truth,
    reference: ReferenceObservation,
    *,
    by_sample: bool = True,
) -> Recovery:
    """Solve a step's gradients for the weights of its samples; None if a sample's gradient is not finite.

    The linear system has a column for every sample that any split was fed in this step; it is factored once. The
    reference's recomputations of the first step (0) are solved together with it.

    ``by_sample``: False leaves out what rounding does to single weights, so that they are not judged by it.
    """
    splits = [split for split in splits if step < len(split.steps)]
    fed = {index for split in splits for index in samples_of(split.steps[step]) if index >= 0}
    members = tuple(sorted(fed | set(truth.members)))
    system = System.of(reference.gradients, members)
    if system is None:
        return Recovery(truth, {}, np.zeros((0, 0)))
    ideal = reference.tokens[list(members)].astype(np.float64) / max(truth.tokens, 1)
    gradients = {split.split: split.steps[step].gradients[0] for split in splits}
    sound = {split: gradient for split, gradient in gradients.items() if np.isfinite(gradient).all()}
    again = [one.gradient for one in reference.recomputed] if step == 0 else []
    solved = system.solve([*sound.values(), *again], ideal)
    found = {
        split: Recovered(
            members, weights, ideal, residual, system.condition, float(np.linalg.norm(gradient.astype(np.float64)))
        )
        for (split, gradient), (weights, residual) in zip(sound.items(), solved, strict=False)
    }
    right = _right(members, ideal, truth)
    noise = tuple(weight_error(weights, right, system.gram) for weights, _ in solved[len(sound) :])
    samples = None
    if again and by_sample:
        unit = max(one.loss_unit for one in reference.recomputed)
        weights = [weights for weights, _ in solved[len(sound) :]]
        samples = SampleNoise.of(weights, right, system, reference.model.dtype, unit, tests=len(sound) * len(members))
    return Recovery(truth, found, system.gram, noise, samples)


def with_weights(
    records: Sequence[StepRecord],
    recoveries: Sequence[Recovery],
    truths: Sequence[Truth],
    split: Split,
    control: Split,
) -> tuple[StepRecord, ...]:
    """The records of a split, one per step, with the part of the gradient's differences that is in the weights.

    ``truths``: what the split's steps are compared with; if a step's weights were recovered for another truth,
    its record is unchanged.
    """
    found = []
    for record, recovery, truth in zip(records, recoveries, truths, strict=False):
        mine, other = recovery.of.get(split), recovery.of.get(control)
        vs_control, vs_reference = record.vs_control, record.vs_reference
        if mine is not None and other is not None and vs_control.gradient is not None:
            vs_control = replace(vs_control, weights=weight_error(mine.weights, other.weights, recovery.gram))
        if mine is not None and truth is recovery.truth:
            right = _right(mine.members, mine.ideal, truth)
            one = None if recovery.samples is None else recovery.samples.worst(mine.weights)[1]
            vs_reference = replace(vs_reference, weights=weight_error(mine.weights, right, recovery.gram), sample=one)
        found.append(replace(record, vs_control=vs_control, vs_reference=vs_reference))
    return tuple(found)


def _right(members: Sequence[int], ideal: npt.NDArray[np.float64], truth: Truth) -> npt.NDArray[np.float64]:
    """The right weights: those of samples that do not belong to the step are 0."""
    return np.where(np.isin(members, truth.members), ideal, 0.0)
