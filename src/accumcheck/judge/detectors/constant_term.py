"""A term of the loss that counts once per micro-batch, such as a weight penalty that is not divided by k."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.constant_term import times_of
from accumcheck.record import Finding, Split
from accumcheck.record.rule import UNEXPLAINED


def term_per_microbatch(seen: Evidence) -> Iterator[Detected]:
    """Splits whose gradient differs from the control's by a multiple of such a term."""
    term = seen.reference.per_microbatch if seen.reference is not None else None
    if term is None:
        return
    counted: dict[Split, float] = {}
    for split in seen.good:
        if split.split in seen.condemned or split.split == seen.control:
            continue
        for step, truth in zip(split.steps, seen.truths.get(split.split, ()), strict=False):
            size = float(np.linalg.norm(truth.gradient))
            difference = step.gradients[0].astype(np.float64) - truth.gradient
            if float(np.linalg.norm(difference)) <= seen.tolerances.gradient * size:
                continue
            if (times := times_of(term, difference, size, seen.tolerances.gradient)) is not None:
                counted[split.split] = times + seen.control.gradient_accumulation_steps
    if not counted:
        return
    shown = ", ".join(f"{times:.3g} times in {split}" for split, times in list(counted.items())[:3])
    yield Detected(
        Finding(
            id="term-per-microbatch",
            severity="fail",
            splits=tuple(map(str, counted)),
            gradient_rule=str(UNEXPLAINED),
            summary=(
                "a term of the loss that does not depend on the rows counts once for every micro-batch: "
                f"{shown}, {seen.control.gradient_accumulation_steps} times in the control {seen.control}"
            ),
            explanation="The rest of the gradient is right. A penalty on the weights that is added to each "
            "micro-batch's loss and is not divided by the accumulation steps k looks like this.",
            consequence="The term is k times as strong as without accumulation.",
            advice="Divide it by the accumulation steps, or add it once per optimizer step.",
        ),
        condemned=dict.fromkeys(counted, UNEXPLAINED),
    )
