"""Gradients of earlier steps in a later one: found from the weights, since the fed samples do not show them."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.judge.measure.compare import Recovery, samples_of
from accumcheck.judge.measure.recovery import DROPPED_BELOW, System
from accumcheck.record import ReferenceObservation, SplitObservation


def leaks_in(
    split: SplitObservation, recovered: Sequence[Recovery], reference: ReferenceObservation, tolerance: float
) -> dict[int, int]:
    """The steps (counted from 1) whose gradient is explained by earlier samples, and how many samples these are.

    Only steps that their own samples do not explain are examined, and only a complete explanation counts.

    Args:
        split: what ran.
        recovered: one entry per step.
        reference: has the gradients of all samples.
        tolerance: of the gradient, relative.
    """
    leaks: dict[int, int] = {}
    for position, recovery in enumerate(recovered[: len(split.steps)]):
        found = recovery.of.get(split.split)
        if found is None or found.residual <= tolerance:
            continue
        fed = {sample for step in split.steps[:position] for sample in samples_of(step)}
        earlier = sorted(fed - set(found.members) - {-1})
        system = System.of(reference.gradients, [*found.members, *earlier]) if earlier else None
        if system is None:
            continue
        ((weights, residual),) = system.solve([split.steps[position].gradients[0]])
        shares = reference.tokens[earlier] / max(int(reference.tokens[earlier].sum()), 1)
        leaked = abs(weights[len(found.members) :]) > DROPPED_BELOW * shares
        if residual <= tolerance and leaked.any():
            leaks[position + 1] = int(leaked.sum())
    return leaks
