"""Where there is no independent truth: the control takes its place, and weights are relative to the control's.

What a program itself made of each row (its contribution when the rows were trained one by one) gives the directions.
The control's gradient, solved in them, gives each row's share. With these shares in place of token counts every rule
reads as it does elsewhere: ``token-mean`` is what the control does, ``token-mean*k`` is k times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from accumcheck.judge.measure.recovery import System
from accumcheck.record import BatchedStep, ReferenceObservation, SplitObservation

WHOLE = 10**9
"""Into how many parts the shares of a step are cut: they are kept as whole numbers, as token counts are."""

COMBINATION = {"float64": 1e-4, "float32": 1e-3, "float16": 3e-2, "bfloat16": 1e-1}
"""How much of the control's gradient its rows may leave over, relative to its norm, and still be what it is made of."""


def relative_to(
    reference: ReferenceObservation, control: SplitObservation | None, splits: Sequence[SplitObservation]
) -> ReferenceObservation:
    """The reference with the control's loss and gradient as the truth, where it has none of its own.

    Args:
        reference: with ``not_judged``; any other is returned as it is.
        control: its steps have gradients; None where it did not run.
        splits: all that ran, the control among them.

    Returns:
        Where the control's gradient is no combination of its rows', one of a model that depends on its batch: splits
        are then compared with those of the same per-device batch only.
    """
    if not reference.not_judged or control is None:
        return reference
    gradients = np.array(reference.gradients, dtype=np.float64)
    tokens, losses = np.ones(len(gradients)), np.zeros(len(gradients))
    norms = []
    for step, members in zip(control.steps, reference.membership, strict=False):
        chosen = list(members)
        system = System.of(reference.gradients, chosen)
        if system is None:
            return _by_size(reference, 1.0, [control, *splits])
        ((weights, left),) = system.solve([step.gradients[0]])
        total = float(weights.sum())
        if left > COMBINATION[reference.model.dtype] or total <= 0:
            return _by_size(reference, max(left, COMBINATION[reference.model.dtype]), [control, *splits])
        tokens[chosen] = np.maximum(weights, 0.0) / total * WHOLE
        gradients[chosen] = reference.gradients[chosen].astype(np.float64) * total
        losses[chosen] = step.loss if step.loss is not None else 0.0
        norms.append(step.grad_norms[0])
    whole = np.rint(tokens).astype(np.int64)
    return replace(reference, gradients=gradients, tokens=whole, labels=whole, losses=losses, grad_norms=tuple(norms))


def _by_size(
    reference: ReferenceObservation, effect: float, splits: Sequence[SplitObservation]
) -> ReferenceObservation:
    """For each size of a micro-batch, what the first split of that size gave."""
    found: dict[tuple[int, int], BatchedStep] = {}
    for split in splits:
        size = split.split.per_device_train_batch_size
        for step in split.steps:
            fed = tuple(batch.samples for batch in step.micro_batches)
            right = BatchedStep(
                "token-mean", step.step, size, fed, step.loss or 0.0, step.grad_norms[0], step.gradients[0]
            )
            found.setdefault((size, step.step), right)
    norms = tuple(step.grad_norms[0] for step in splits[0].steps)
    return replace(reference, batch_effect=effect, batched=tuple(found.values()), grad_norms=norms)


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
