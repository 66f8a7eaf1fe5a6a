"""What each step of each split is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from accumcheck.config.model import CheckConfig
from accumcheck.judge.measure.compare import Truth, compare_step, samples_of, truth_of
from accumcheck.judge.measure.epochs import Windows, windows_of
from accumcheck.judge.measure.fed_rows import SplitRows
from accumcheck.record import (
    BatchedStep,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepObservation,
    StepRecord,
)


def truths_of(reference: ReferenceObservation | None, steps: int) -> list[Truth]:
    """The right answers for the samples of every step; empty without a reference."""
    if reference is None:
        return []
    return [truth_of(reference, step) for step in range(min(steps, len(reference.membership)))]


def windows_in(
    good: Sequence[SplitObservation],
    reference: ReferenceObservation | None,
    check: CheckConfig,
    fed: Mapping[Split, SplitRows],
) -> dict[Split, Windows]:
    """With whole epochs, each split's steps in them; with a program, which of its batches differ from the control's."""
    if reference is None:
        return {}
    if check.runs_program:
        return {
            split: Windows(others=frozenset(step.step - 1 for step in rows.wrong))
            for split, rows in fed.items()
            if rows.reordered or not rows.wrong
        }
    if check.data.epochs is None:
        return {}
    membership, samples, epochs = reference.membership, check.sample_count, check.data.epochs
    return {split.split: windows_of(split, membership, samples, epochs) for split in good}


def due(split: Split, alone: Sequence[Truth], reference: ReferenceObservation | None) -> list[Truth]:
    """The truth of every step for one split: that of its samples, unless the model depends on its batch."""
    if reference is None:
        return []
    size = split.per_device_train_batch_size
    return [batched_truth(reference, step, size, truth) for step, truth in enumerate(alone, start=1)]


def right_of(
    split: SplitObservation,
    alone: Sequence[Truth],
    reference: ReferenceObservation,
    windows: Mapping[Split, Windows],
) -> list[Truth]:
    """What each step of a split is compared with: if samples were repeated, the truth of what it was fed."""
    right = due(split.split, alone, reference)
    for step in windows.get(split.split, Windows()).off_control:
        right[step] = fed_truth(reference, split.steps[step], right[step])
    return right


def records_of(
    split: SplitObservation,
    good: Sequence[SplitObservation],
    control: Split,
    truths: Sequence[Truth],
    reference: ReferenceObservation | None,
    windows: Mapping[Split, Windows],
    rounding: float = 0.0,
) -> tuple[StepRecord, ...]:
    """The steps of a split compared with the control and the truth, if these have the same samples.

    ``rounding``: see `compare_step`.
    """
    control_step: StepObservation | None
    records = []
    steps = next((other.steps for other in good if other.split == control), ())
    for position, observed in enumerate(split.steps):
        differs = any(position in windows[one].off_control for one in (split.split, control) if one in windows)
        control_step = steps[position] if position < len(steps) and not differs else None
        truth = truths[position] if position < len(truths) else None
        records.append(compare_step(observed, control_step, truth, reference, rounding))
    return tuple(records)


def fed_truth(reference: ReferenceObservation, step: StepObservation, alone: Truth) -> Truth:
    """The right answer for a step with repeated samples: each counts as often as it was fed.

    The norm of the whole gradient is not known if only some of its entries are kept; then it is not compared.
    """
    fed = [index for index in samples_of(step) if index >= 0]
    tokens = reference.tokens[fed].astype(np.float64)
    shares = tokens / max(tokens.sum(), 1.0)
    gradient = np.asarray(shares @ reference.gradients[fed].astype(np.float64, copy=False))
    norm = float(np.linalg.norm(gradient)) if reference.coordinates.complete else None
    loss = float(shares @ reference.losses[fed])
    members = tuple(sorted(set(fed)))
    return replace(alone, loss=loss, grad_norm=norm, gradient=gradient, members=members, tokens=int(tokens.sum()))


def batched_truth(reference: ReferenceObservation, step: int, size: int, alone: Truth) -> Truth:
    """The right answer for one step in micro-batches of ``size``; ``alone``: that of its samples one by one."""
    found = batched_steps(reference).get(("token-mean", step, size))
    if found is None:
        return alone
    gradient = found.gradient.astype(np.float64, copy=False)
    return replace(alone, loss=found.loss, grad_norm=found.grad_norm, gradient=gradient)


def batched_steps(reference: ReferenceObservation) -> dict[tuple[str, int, int], BatchedStep]:
    """The model's own result in micro-batches, by base, step (from 1) and size of the micro-batch."""
    return {(step.base, step.step, step.size): step for step in reference.batched}
