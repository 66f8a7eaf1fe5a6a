"""Clipping that is not what the training arguments ask for, whichever split it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.updates import ITS_OWN
from accumcheck.record import Finding, Split, StepObservation

DEFAULT = 1.0
"""``max_grad_norm`` of transformers' ``TrainingArguments``."""
CLOSEST = 1e-4
"""The coefficient is computed from a norm in single precision, of many tensors."""
ROUNDED = 2.0
"""The multiple of the measured rounding of a large gradient's norm that is allowed."""
EPSILON = 1e-6
"""What torch's ``clip_grad_norm_`` adds to the norm."""


@dataclass(frozen=True)
class _Off:
    step: int
    norm: float
    found: float
    due: float


def wrong_clipping(seen: Evidence) -> Iterator[Detected]:
    """Splits of a stack that is given training arguments, and that clips otherwise than these say."""
    if seen.check.runs_program:  # which may clip as it likes: its splits are compared with each other
        return
    limit = float(seen.check.training_arguments.get("max_grad_norm", DEFAULT) or 0.0)
    allowed = max(seen.tolerances.grad_norm, CLOSEST, ITS_OWN.get(seen.check.model.dtype, 0.0))
    found: dict[Split, _Off] = {}
    for one in seen.good:
        off = next(filter(None, (_off(step, limit, allowed) for step in one.steps)), None)
        if off is not None:
            found[one.split] = off
    if not found:
        return
    split, worst = next(iter(found.items()))
    asks = f"max_grad_norm {limit:g} makes it" if limit > 0 else "max_grad_norm 0 leaves it at"
    yield Detected(
        Finding(
            id="clipping-wrong",
            severity="fail",
            splits=tuple(map(str, found)),
            summary=f"the clipping coefficient of {split} at step {worst.step} is {worst.found:.4g}; {asks} "
            f"{worst.due:.4g}, for a gradient of norm {worst.norm:.4g}",
            explanation="The gradient itself is not judged by this: it is read before it is clipped.",
            consequence="The update is shorter or longer than the training arguments say.",
            advice="Clip once per step at max_grad_norm, by the norm of the whole accumulated gradient.",
        ),
        failed=frozenset(found),
    )


def _off(step: StepObservation, limit: float, allowed: float) -> _Off | None:
    """The wrong clipping of a step; None if it is right, or if something else clips too and none can be expected."""
    norm = step.grad_norms.get(0, math.nan)
    if not step.learning_rates or step.clips > 1 or step.clipped_within is not None or not math.isfinite(norm):
        return None
    due = min(1.0, limit / (norm + EPSILON)) if limit > 0 else 1.0
    return (
        None
        if math.isclose(step.clip_coefficient, due, rel_tol=allowed + ROUNDED * step.norm_rounding)
        else _Off(step.step, norm, step.clip_coefficient, due)
    )
