"""NaN and infinity: in which splits, steps and samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from accumcheck.record import ReferenceObservation, SplitObservation

_SHOWN = 5


def words_of_split(split: SplitObservation) -> str:
    """``loss is nan in step 2, gradient norm is nan in steps 2 and 3``; empty if every number is finite."""
    found = []
    for name, values in (
        ("loss", [step.loss for step in split.steps]),
        ("gradient norm", [_norm(list(step.grad_norms.values())) for step in split.steps]),
    ):
        steps = [at for at, value in enumerate(values, start=1) if value is not None and not math.isfinite(value)]
        if steps:
            kinds = dict.fromkeys(f"{values[at - 1]:g}" for at in steps)
            found.append(f"{name} is {' and '.join(kinds)} in {_listed('step', steps)}")
    return ", ".join(found)


def _norm(of_processes: Sequence[float]) -> float | None:
    """The first of the processes' norms that is not finite, else any of them."""
    return next((norm for norm in of_processes if not math.isfinite(norm)), next(iter(of_processes), None))


def words_of_reference(reference: ReferenceObservation) -> str:
    """Which samples have a loss or gradient alone that is not finite, step by step; empty if none has."""
    found = []
    for step, members in enumerate(reference.membership, start=1):
        # a sample without predictions has weight 0, whatever its mean loss is
        wrong = [sample for sample in members if reference.tokens[sample] > 0 and not is_finite(reference, sample)]
        if wrong:
            which = "every sample" if len(wrong) == len(members) else _listed("sample", wrong)
            found.append(f"{which} of step {step}")
    return "; ".join(found[:_SHOWN])


def is_finite(reference: ReferenceObservation, sample: int) -> bool:
    """Whether a sample's loss and gradient are finite when it is fed alone."""
    return bool(np.isfinite(reference.losses[sample]) and np.isfinite(reference.gradients[sample]).all())


def has_finite_batches(reference: ReferenceObservation) -> bool:
    """Whether micro-batches without any stack replace the samples, and are finite."""
    return bool(reference.batched) and all(
        math.isfinite(step.loss) and math.isfinite(step.grad_norm) for step in reference.batched
    )


def _listed(what: str, numbers: Sequence[int]) -> str:
    shown = [str(number) for number in numbers[:_SHOWN]]
    if len(numbers) > _SHOWN:
        return f"{what}s {', '.join(shown)} and {len(numbers) - _SHOWN} more"
    return f"{what} {shown[0]}" if len(shown) == 1 else f"{what}s {', '.join(shown[:-1])} and {shown[-1]}"
