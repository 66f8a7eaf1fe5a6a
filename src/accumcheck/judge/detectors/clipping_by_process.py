"""A gradient that each process clips by its own norm, before the gradients are reduced across processes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, StepObservation
from accumcheck.record.rule import UNEXPLAINED

_SAME = 1e-5
"""Relative tolerance between two processes' applied gradients. They are divided by the clipping coefficient when they
are read, so they are known to a few units in the last digit of float32."""
_OTHER = 1e-4
"""The smallest relative difference between coefficients that rounding of the norms does not explain."""


def clipped_by_process(seen: Evidence) -> Iterator[Detected]:
    """Splits whose processes clip by different coefficients and then apply the same gradient."""
    found = {one.split: steps[0] for one in seen.good if (steps := clips_by_process(one.steps))}
    if not found:
        return
    split, step = next(iter(found.items()))
    shown = ", ".join(f"{one:.3g}" for one in list(step.clip_coefficients.values())[:4])
    yield Detected(
        Finding(
            id="clip-per-process",
            severity="fail",
            splits=tuple(map(str, found)),
            gradient_rule=str(UNEXPLAINED),
            summary=f"each process clips its own gradient before the gradients are reduced across processes: by the "
            f"factors {shown} at step {step.step} of {split}",
            explanation="A norm of one process's gradient is not the norm of the global batch's. Processes with larger "
            "gradients are cut more, so their samples count less.",
            consequence="The update depends on the number of processes.",
            advice="Clip after the gradients have been reduced across processes, just before the optimizer's step.",
        ),
        condemned=dict.fromkeys(found, UNEXPLAINED),
    )


def clips_by_process(steps: Sequence[StepObservation]) -> list[StepObservation]:
    """The steps whose processes clipped differently, although what they then applied is the same in all of them."""
    return [one for one in steps if _differ(one) and _apply_the_same(one)]


def _differ(step: StepObservation) -> bool:
    factors = list(step.clip_coefficients.values())
    return len(factors) > 1 and max(factors) - min(factors) > _OTHER * max(factors)


def _apply_the_same(step: StepObservation) -> bool:
    applied = [
        gradient.astype(np.float64) * step.clip_coefficients.get(process, math.nan)
        for process, gradient in step.gradients.items()
    ]
    first = applied[0]
    norm = float(np.linalg.norm(first))
    return all(float(np.linalg.norm(one - first)) <= _SAME * norm for one in applied[1:])
