"""A term of the loss that the count of the step's predictions does not divide, although it divides the rest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, SplitObservation, UndividedTerm
from accumcheck.record.rule import UNEXPLAINED

_MOSTLY = 0.9
"""The least cosine between the term and what is wrong: if its micro-batches have other lengths, it is not exactly 1."""


def term_not_divided(seen: Evidence) -> Iterator[Detected]:
    """Splits whose gradient is wrong by a multiple of such a term."""
    term = seen.reference.undivided if seen.reference is not None else None
    if term is None:
        return
    counted = {
        split.split: 1 + times
        for split in seen.good
        if split.split not in seen.condemned and (times := _times(seen, split, term)) is not None
    }
    if not counted:
        return
    shown = ", ".join(f"{times:.3g} times in {split}" for split, times in list(counted.items())[:3])
    yield Detected(
        Finding(
            id="term-not-divided",
            severity="fail",
            splits=tuple(map(str, counted)),
            gradient_rule=str(UNEXPLAINED),
            summary=f"{term.name}, which num_items_in_batch does not divide, counts more than once in a step: {shown}",
            explanation="The rest of the loss is a sum over its predictions, divided by their number in the whole "
            "step, so micro-batches are added and nothing divides them by k. This term is a mean over its own "
            "micro-batch, and k of these are added.",
            consequence="The weight of this term in training is k times as large as without accumulation.",
            advice="Divide the term by the accumulation steps, or sum it over predictions and divide it by "
            "num_items_in_batch like the rest.",
        ),
        condemned=dict.fromkeys(counted, UNEXPLAINED),
    )


def _times(seen: Evidence, split: SplitObservation, term: UndividedTerm) -> float | None:
    """How many times too often the term counts, in the first step that is off; None if something else is wrong."""
    for at, (step, truth) in enumerate(zip(split.steps, seen.truths.get(split.split, ()), strict=False)):
        right, due = truth.gradient.astype(np.float64), term.gradients[at]
        off = step.gradients[0].astype(np.float64) - right
        size = float(np.linalg.norm(off))
        if not size > seen.tolerances.gradient * float(np.linalg.norm(right)):
            continue
        square = float(due @ due)
        times = float(off @ due) / square if square > 0 else 0.0
        return times if float(off @ due) >= _MOSTLY * size * square**0.5 else None
    return None
