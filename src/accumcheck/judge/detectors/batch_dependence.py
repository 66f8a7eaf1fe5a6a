"""A model, or a stack's own loss, in which the samples of a micro-batch affect each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.judge.measure.truths import batched_steps
from accumcheck.record import BatchTerm, Finding, ReferenceObservation, Split, SplitObservation


def batch_dependence(judged: Judged) -> Iterator[Detected]:
    """A warning with the reason, and how much of the splits' differences it explains."""
    reference = judged.seen.reference
    if reference is None or not reference.batch_effect > 0 or judged.seen.random_by is not None:
        return
    term = reference.batch_term
    of_stack = term is not None and term.of_stack
    if term is not None and of_stack:
        summary = _of_stack(term, reference.batch_effect)
    else:
        shares = _shares(reference, {one.split: one for one in judged.seen.good}, judged.seen.control)
        summary = _of_model(term, reference.batch_effect, shares)
    where, computed = ("in the loss itself", "") if of_stack else ("", ", computed without the stack")
    yield Detected(
        Finding(
            id="batch-dependent-model",
            severity="warn",
            splits=(),
            summary=summary,
            explanation=(
                f"Samples of a micro-batch affect each other{' ' * bool(where)}{where}, so splits with different "
                "per-device batches cannot agree. Each split was therefore compared with its own micro-batches"
                f"{computed}."
            ),
            advice="Keep the per-device batch the same in runs you want to compare.",
        )
    )


def _of_model(term: BatchTerm | None, effect: float, shares: list[str]) -> str:
    cause = f"because of {term.name}" if term is not None else "for a reason that was not found"
    partly = "" if term is None or term.complete else " (and of something else: without it, batching still matters)"
    explains = f"; of the gradient's difference from the control, this explains {', '.join(shares)}" if shares else ""
    return (
        f"even without the stack, batching changes this model's results (relative difference up to {effect:.2g}), "
        f"{cause}{partly}{explains}"
    )


def _of_stack(term: BatchTerm, effect: float) -> str:
    return (
        f"{term.name} gives several samples together a different loss than the mean of their single losses: a "
        f"difference of up to {effect:.2g}, without any accumulation"
    )


def _shares(reference: ReferenceObservation, splits: Mapping[Split, SplitObservation], control: Split) -> list[str]:
    """For each split whose gradient differs from the control's: how much of that its own micro-batches explain."""
    found = []
    right = batched_steps(reference)
    for split, observed in splits.items():
        own = right.get(("token-mean", 1, split.per_device_train_batch_size))
        if split == control or control not in splits or own is None or not observed.steps:
            continue
        gradient = observed.steps[0].gradients[0].astype(np.float64, copy=False)
        difference = float(np.linalg.norm(gradient - splits[control].steps[0].gradients[0]))
        left = float(np.linalg.norm(gradient - own.gradient))
        if np.isfinite(difference) and np.isfinite(left) and difference > 0:
            found.append(f"{max(0.0, 1 - left / difference):.0%} in {split}")
    return found
