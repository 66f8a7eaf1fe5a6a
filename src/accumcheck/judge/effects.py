"""How big a fault is in each split: in numbers, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accumcheck.judge.measure.compare import Truth
from accumcheck.record import Split, SplitResult, StepRecord, Tolerances


@dataclass(frozen=True, slots=True)
class Effect:
    """How big a fault is in one split: observed over right, in the step where it is worst.

    ``loss`` and ``grad_norm`` are ratios, None where unknown; ``gradient`` is a relative error, ``weights`` the part of
    it that is in how samples are weighted, where that part alone is beyond its tolerance.
    """

    split: Split
    loss: float | None
    grad_norm: float | None
    gradient: float | None
    weights: float | None = None


def effect_of(result: SplitResult, truths: Sequence[Truth], base: SplitResult | None, tolerances: Tolerances) -> Effect:
    """The split's ratios to the truth (or to ``base``, where there is no truth), in its worst step."""

    def off(step: StepRecord) -> float:
        found = step.vs_reference if truths else step.vs_control
        known = [value for value in (found.loss, found.gradient) if value is not None]
        return math.inf if any(math.isnan(value) for value in known) else max(known, default=0.0)

    worst = max(result.steps, key=off)
    right: Truth | StepRecord | None = (
        truths[worst.step - 1] if truths else (base.steps[worst.step - 1] if base else None)
    )
    divergence = worst.vs_reference if truths else worst.vs_control
    return Effect(
        split=result.split,
        loss=_ratio(worst.loss, right.loss if right else None),
        grad_norm=_ratio(worst.grad_norm, right.grad_norm if right else None),
        gradient=divergence.gradient,
        weights=_in_weights_alone(result, tolerances),
    )


def size(effects: Sequence[Effect], against: str) -> str:
    """``loss 2.00, 4.00 times the reference's; gradient norm 2.31, 4.67 times; gradient off by up to 3.2 ...``.

    ``against`` says what the ratios are to: the reference, or the control where there is none.
    """
    words = []
    for name, ratios in (
        ("loss", [effect.loss for effect in effects]),
        ("gradient norm", [effect.grad_norm for effect in effects]),
    ):
        known = [ratio for ratio in ratios if ratio is not None]
        if any(not math.isfinite(ratio) for ratio in known):
            words.append(f"{name} is not finite")
        elif known and max(abs(ratio - 1) for ratio in known) >= 0.01:
            words.append(f"{name} {', '.join(map(_times, known))} times the {against}'s")
        elif known:
            words.append(f"{name} within {max(abs(ratio - 1) for ratio in known):.1e} of the {against}'s")
    errors = [effect.gradient for effect in effects if effect.gradient is not None and math.isfinite(effect.gradient)]
    if errors:
        words.append(f"gradient off by up to {max(errors):.2g} of its norm")
    if parts := [effect.weights for effect in effects if effect.weights is not None]:
        words.append(f"wrong sample weights account for {max(parts):.2g} of its norm, more than rounding can")
    return "; ".join(words)


def _in_weights_alone(result: SplitResult, tolerances: Tolerances) -> float | None:
    """How far the weights are off, where they are beyond tolerance and the gradient as a whole is not."""
    differences = [found for step in result.steps for found in (step.vs_control, step.vs_reference)]
    whole = max((found.gradient for found in differences if found.gradient is not None), default=0.0)
    part = max((found.weights for found in differences if found.weights is not None), default=0.0)
    if tolerances.weights is None or not whole <= tolerances.gradient or not part > tolerances.weights:
        return None
    return part


def _ratio(value: float | None, right: float | None) -> float | None:
    return None if value is None or not right else value / right


def _times(ratio: float) -> str:
    """Three digits, with the zeros that say so: 2.00, 16.0, 138."""
    return f"{ratio:.2f}" if abs(ratio) < 10 else f"{ratio:.1f}" if abs(ratio) < 100 else f"{ratio:.0f}"
