"""A logged gradient norm that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.updates import ITS_OWN
from accumcheck.record import Finding, StepObservation

CLOSEST = 1e-4
"""Logs are rounded: the smallest tolerance for a norm."""
ROUNDED = 2.0
"""The multiple of the measured rounding of a large gradient's norm that does not count."""


def misreported_norm(seen: Evidence) -> Iterator[Detected]:
    """A warning: training itself is judged by the gradient."""
    worst = {one.split: max(map(_error, one.steps), default=0.0) for one in seen.good}
    dtype = seen.reference.model.dtype if seen.reference is not None else ""
    allowed = max(seen.tolerances.grad_norm, CLOSEST, ITS_OWN.get(dtype, 0.0))
    wrong = {split: error for split, error in worst.items() if error > allowed}
    if wrong:
        yield Detected(
            Finding(
                id="logged-grad-norm",
                severity="warn",
                splits=tuple(map(str, wrong)),
                summary=f"the logged grad_norm is not the norm of the gradient: off by up to {max(wrong.values()):.2g}",
                explanation=(
                    "The log does not show what the optimizer received. Training itself is judged by the gradient."
                ),
                consequence="Settings chosen from the log, such as max_grad_norm, are off by the same amount.",
                advice="Choose them from the gradient norms in this report.",
            )
        )


def _error(step: StepObservation) -> float:
    """The error relative to the norm; 0 if nothing was logged, or it cannot be compared."""
    logged, norm = step.logged_grad_norm, step.grad_norms[0]
    if logged is None or not math.isfinite(logged) or not norm > 0:
        return 0.0
    error = abs(logged - norm) / norm
    return 0.0 if error <= ROUNDED * step.norm_rounding else error
