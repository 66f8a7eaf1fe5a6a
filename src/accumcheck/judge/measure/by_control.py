"""Without an independent reference, the control takes its place, and weights are relative to the control's.

The program's own gradients of single rows (their contributions when trained one by one) give the directions.
The control's gradient, solved in them, gives each row's share. With these shares instead of token counts, rules
have their usual meaning: ``token-mean`` is what the control does, ``token-mean*k`` is k times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.backward import (
    SAME,
    Backward,
    added_to_all,
    backward_of,
    entries_of,
)
from accumcheck.judge.measure.combination import Combination, combined
from accumcheck.judge.measure.constant_term import constant_in
from accumcheck.record import (
    BatchedStep,
    Divergence,
    Recomputation,
    ReferenceObservation,
    SplitObservation,
    StepObservation,
)

WHOLE = 10**9
"""Shares are stored as whole numbers, like token counts; this is their sum in a step."""

COMBINATION = {"float64": 1e-4, "float32": 1e-3, "float16": 3e-2, "bfloat16": 1e-1}
"""The residual, relative to the norm, up to which the control's gradient counts as a combination of its rows."""


def relative_to(
    reference: ReferenceObservation, control: SplitObservation | None, splits: Sequence[SplitObservation]
) -> ReferenceObservation:
    """The reference with the control's loss and gradient as right values, if it has none itself.

    These are the result of the control's backward passes, if seen, and otherwise its applied gradient.

    Args:
        reference: with ``not_judged``; any other is returned unchanged.
        control: with gradients in its steps; None if it did not run.
        splits: all that ran, including the control.

    Returns:
        If the control's gradient is not a combination of its rows' gradients, the model is taken as batch-dependent:
        splits are then only compared with those of the same per-device batch. But if it was seen that rows are not
        mixed, every split must agree with the control.
    """
    if not reference.not_judged:
        return reference
    if control is None:
        return replace(reference, gradients=np.nan_to_num(reference.gradients, posinf=0.0, neginf=0.0))
    dtype = reference.model.dtype
    gradients = np.array(reference.gradients, dtype=np.float64)
    tokens, losses = np.ones(len(gradients)), np.zeros(len(gradients))
    norms: list[float] = []
    noise: list[Recomputation] = []
    for step, (made, norm), members in zip(control.steps, _made(control, dtype), reference.membership, strict=False):
        chosen = list(members)
        rows = reference.gradients[chosen].astype(np.float64)
        if not np.isfinite(rows).all() or not np.isfinite(made.gradient).all():
            return _without_rows(reference, control, splits)
        found = combined(made.gradient, made.entries, rows, reference.coordinates, COMBINATION[dtype])
        total = float(found.weights.sum())
        if found.left <= COMBINATION[dtype] and found.is_one_of_many and (found.weights < 0).any():
            return as_control(reference, control)  # nothing is known of single rows' weights
        if found.left > COMBINATION[dtype] or total <= 0:
            if (with_term := _with_term(reference, control)) is not None:
                return with_term
            if reference.unmixed in ("outputs", "targets"):
                return as_control(reference, control)
            return _by_size(reference, max(found.left, COMBINATION[dtype]), [control, *splits])
        tokens[chosen] = np.maximum(found.weights, 0.0) / total * WHOLE
        gradients[chosen] = found.rows * total
        # parameters in which single rows do not explain the control: there its own gradient stands for each row
        gradients[np.array(chosen)[:, None], np.flatnonzero(found.own)] = step.gradients[0][found.own]
        losses[chosen] = step.loss if step.loss is not None else 0.0
        norms.append(norm)
        if not noise:
            size = control.split.per_device_train_batch_size
            noise.append(_rounding(made, found, step.gradients[0], size))
    whole = np.rint(tokens).astype(np.int64)
    return replace(
        reference,
        gradients=gradients,
        tokens=whole,
        labels=whole,
        losses=losses,
        grad_norms=tuple(norms),
        recomputed=tuple(noise),
        noise=noise[0].apart if noise else reference.noise,
    )


def _with_term(reference: ReferenceObservation, control: SplitObservation) -> ReferenceObservation | None:
    """The reference with rows that sum to the control's steps after removing one term per micro-batch; else None."""
    if not reference.coordinates.complete:
        return None
    members = [list(one) for one in reference.membership[: len(control.steps)]]
    rows = [reference.gradients[chosen].astype(np.float64) for chosen in members]
    steps = [step.gradients[0].astype(np.float64) for step in control.steps]
    count = control.split.gradient_accumulation_steps
    term = constant_in(rows, steps, count, COMBINATION[reference.model.dtype])
    if term is None:
        return None
    gradients, losses = np.array(reference.gradients, dtype=np.float64), np.zeros(len(reference.gradients))
    for chosen, own, step in zip(members, rows, control.steps, strict=True):
        gradients[chosen] = (own - term) * len(chosen) + count * term
        losses[chosen] = step.loss if step.loss is not None else 0.0
    ones = np.ones(len(gradients), dtype=np.int64)
    norms = tuple(step.grad_norms[0] for step in control.steps)
    return replace(
        reference,
        gradients=gradients,
        tokens=ones,
        labels=ones,
        losses=losses,
        grad_norms=norms,
        per_microbatch=term,
    )


def _without_rows(
    reference: ReferenceObservation, control: SplitObservation, splits: Sequence[SplitObservation]
) -> ReferenceObservation:
    """The control's steps as right values, if single rows are unknown."""
    if reference.batch_term is not None:
        return _by_size(reference, 1.0, [control, *splits])
    return as_control(reference, control)


def as_control(reference: ReferenceObservation, control: SplitObservation) -> ReferenceObservation:
    """The control's steps as right values, without those of single rows: each row gets the gradient of its step."""
    gradients, losses = np.array(reference.gradients, dtype=np.float64), np.zeros(len(reference.gradients))
    for step, members in zip(control.steps, reference.membership, strict=False):
        gradients[list(members)] = step.gradients[0]
        losses[list(members)] = step.loss if step.loss is not None else 0.0
    ones = np.ones(len(gradients), dtype=np.int64)
    norms = tuple(step.grad_norms[0] for step in control.steps)
    return replace(reference, gradients=gradients, tokens=ones, labels=ones, losses=losses, grad_norms=norms)


def _rounding(made: _Made, found: Combination, applied: npt.NDArray[np.floating[Any]], size: int) -> Recomputation:
    """The effect of floating point: the control's backward passes compared with those of its single rows."""
    by_rows = np.where(found.own, applied, found.weights @ found.rows)
    gradient = by_rows.copy()
    gradient[made.entries] = np.where(found.own[made.entries], by_rows[made.entries], made.gradient)
    one, other = float(np.linalg.norm(gradient)), float(np.linalg.norm(by_rows))
    apart = Divergence(loss=None, grad_norm=abs(one - other) / other if other > 0 else 0.0, gradient=found.left)
    return Recomputation("the control's micro-batches", size, apart, gradient)


@dataclass(frozen=True)
class _Made:
    """``gradient`` at ``entries`` of the coordinates, both ``[entries]``."""

    gradient: npt.NDArray[np.float64]
    entries: npt.NDArray[np.int64]


def _made(control: SplitObservation, dtype: str) -> list[tuple[_Made, float]]:
    """The result of each step's backward passes, and the norm of the whole."""
    seen = backward_of(control)
    if seen is None or control.trained is None:
        every = np.arange(len(control.steps[0].gradients[0])) if control.steps else np.zeros(0, np.int64)
        return [(_Made(step.gradients[0].astype(np.float64), every), step.grad_norms[0]) for step in control.steps]
    entries = entries_of(control)
    found = []
    for one in seen:
        size = float(np.linalg.norm(one.applied))
        share = float(np.linalg.norm(one.made)) / size if size > 0 else 1.0
        right = abs(one.times - 1) <= SAME[dtype] and one.left <= SAME[dtype]
        found.append((_Made(one.made, entries), one.norm if right else one.norm * share))
    return found


def _by_size(
    reference: ReferenceObservation, effect: float, splits: Sequence[SplitObservation]
) -> ReferenceObservation:
    """For each micro-batch size, the result of the first split with that size."""
    found: dict[tuple[int, int], BatchedStep] = {}
    for split in splits:
        size = split.split.per_device_train_batch_size
        entries = entries_of(split)
        seen: Sequence[Backward | None] = backward_of(split) or [None] * len(split.steps)
        for step, one in zip(split.steps, seen, strict=True):
            fed = tuple(batch.samples for batch in step.micro_batches)
            gradient, norm = _undisturbed(step, one, entries, reference)
            right = BatchedStep("token-mean", step.step, size, fed, step.loss or 0.0, norm, gradient)
            found.setdefault((size, step.step), right)
    norms = tuple(step.grad_norms[0] for step in splits[0].steps)
    return replace(reference, batch_effect=effect, batched=tuple(found.values()), grad_norms=norms)


def _undisturbed(
    step: StepObservation, seen: Backward | None, entries: npt.NDArray[np.int64], reference: ReferenceObservation
) -> tuple[npt.NDArray[np.floating[Any]], float]:
    """The result of a step's backward passes, and its norm; the applied gradient if nothing else is known."""
    gradient, dtype = step.gradients[0], reference.model.dtype
    if seen is None or len(entries) != len(gradient) or not reference.coordinates.complete:
        return gradient, step.grad_norms[0]
    if abs(seen.times - 1) <= SAME[dtype] and seen.left <= SAME[dtype]:
        return gradient, step.grad_norms[0]
    made = np.zeros(len(gradient))
    made[entries] = seen.made
    return made, float(np.linalg.norm(made))


def with_added(reference: ReferenceObservation, control: SplitObservation | None) -> tuple[ReferenceObservation, float]:
    """The reference with what the control adds to every gradient before it is applied, the same in each step.

    Returns:
        The reference, and the size of the added part relative to the first step's gradient: 0 if nothing is added.
    """
    if control is None:
        return reference, 0.0
    added = added_to_all(control, reference.coordinates, reference.model.dtype)
    if added is None:
        return reference, 0.0
    changed = replace(
        reference,
        gradients=reference.gradients.astype(np.float64) + added,
        batched=tuple(replace(one, gradient=one.gradient + added) for one in reference.batched),
        recomputed=tuple(replace(one, gradient=one.gradient + added) for one in reference.recomputed),
    )
    norms = [_norm_of(changed.gradients, changed, members) for members in reference.membership]
    return replace(changed, grad_norms=tuple(norms)), float(np.linalg.norm(added)) / max(norms[0], 1e-300)


def without(reference: ReferenceObservation, names: tuple[str, ...]) -> ReferenceObservation:
    """The reference without the gradients of these parameters, which the control does not apply."""
    places = reference.coordinates
    if not set(names) & set(places.names):
        return reference
    gradients = np.array(reference.gradients)
    kept = np.ones(gradients.shape[1], dtype=bool)
    for name, start, size in zip(places.names, places.starts, places.sizes, strict=True):
        if name in names:
            kept[start : start + size] = False
    gradients[:, ~kept] = 0
    before = [_norm_of(reference.gradients, reference, members) for members in reference.membership]
    after = [_norm_of(gradients, reference, members) for members in reference.membership]
    norms = tuple(
        norm * new / old if old > 0 else norm
        for norm, old, new in zip(reference.grad_norms, before, after, strict=True)
    )
    return replace(
        reference,
        gradients=gradients,
        grad_norms=norms,
        recomputed=tuple(replace(one, gradient=np.where(kept, one.gradient, 0)) for one in reference.recomputed),
    )


def _norm_of(gradients: np.ndarray, reference: ReferenceObservation, members: tuple[int, ...]) -> float:
    tokens = reference.tokens[list(members)].astype(np.float64)
    return float(np.linalg.norm(tokens / max(tokens.sum(), 1.0) @ gradients[list(members)].astype(np.float64)))
