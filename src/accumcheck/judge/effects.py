"""The size of a fault in each split: in numbers, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accumcheck.judge.measure.compare import Recovery, Truth
from accumcheck.record import Split, SplitResult, StepRecord, Tolerances


@dataclass(frozen=True, slots=True)
class WrongSample:
    """A sample whose weight is further off than rounding can explain.

    ``times``: the weight divided by the right one; None if the right weight is 0; ``explained``: the same for the
    largest weight that rounding explains.
    """

    sample: int
    times: float | None
    explained: float | None


@dataclass(frozen=True, slots=True)
class Effect:
    """The size of a fault in one split: observed over right, in the worst step.

    ``loss`` and ``grad_norm`` are ratios, None if unknown; ``gradient`` is a relative error; ``weights``: the part of
    it that comes from wrong sample weights, if that part alone is above its tolerance; ``sample``: the sample whose
    weight is the furthest above its own tolerance, if the gradient as a whole is within its tolerance.
    """

    split: Split
    loss: float | None
    grad_norm: float | None
    gradient: float | None
    weights: float | None = None
    sample: WrongSample | None = None


def effect_of(
    result: SplitResult,
    truths: Sequence[Truth],
    base: SplitResult | None,
    tolerances: Tolerances,
    recovered: Sequence[Recovery] = (),
) -> Effect:
    """The split's ratios to the reference (or to ``base``, without a reference), in its worst step."""

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
        sample=_wrong_sample(result, tolerances, recovered),
    )


def size(effects: Sequence[Effect], against: str) -> str:
    """``loss 2.00, 4.00 times the reference's; gradient norm 2.31, 4.67 times; gradient off by up to 3.2 ...``.

    ``against``: what the ratios are relative to: the reference, or the control if there is none.
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
    if samples := [effect.sample for effect in effects if effect.sample is not None]:
        words.append(_of_sample(samples[0]))
    return "; ".join(words)


def _of_sample(one: WrongSample) -> str:
    if one.times is None or one.explained is None:
        return f"sample {one.sample}, which should weigh nothing, has a weight that rounding cannot explain"
    return (
        f"sample {one.sample} weighs {one.times:.7g} times what it should, and rounding explains {one.explained:.2g} "
        "of that"
    )


def _wrong_sample(result: SplitResult, tolerances: Tolerances, recovered: Sequence[Recovery]) -> WrongSample | None:
    """The sample of the first step whose weight takes up most of what it is allowed, if that is more than all of it."""
    if not recovered or not result.steps or recovered[0].samples is None or result.split not in recovered[0].of:
        return None
    noise, found, first = recovered[0].samples, recovered[0].of[result.split], result.steps[0].vs_reference
    if first.sample is None or not first.sample > 1 or not (first.gradient or 0.0) <= tolerances.gradient:
        return None
    at, _ = noise.worst(found.weights)
    due = float(noise.right[at])
    if due <= 0:
        return WrongSample(found.members[at], None, None)
    times = (float(found.weights[at]) - float(noise.off[at])) / due
    return WrongSample(found.members[at], times, float(noise.allowed[at]) / due)


def _in_weights_alone(result: SplitResult, tolerances: Tolerances) -> float | None:
    """How far the weights are off, if they are beyond tolerance but the whole gradient is not."""
    differences = [found for step in result.steps for found in (step.vs_control, step.vs_reference)]
    whole = max((found.gradient for found in differences if found.gradient is not None), default=0.0)
    part = max((found.weights for found in differences if found.weights is not None), default=0.0)
    if tolerances.weights is None or not whole <= tolerances.gradient or not part > tolerances.weights:
        return None
    return part


def _ratio(value: float | None, right: float | None) -> float | None:
    return None if value is None or not right else value / right


def _times(ratio: float) -> str:
    """Three significant digits, including zeros: 2.00, 16.0, 138."""
    return f"{ratio:.2f}" if abs(ratio) < 10 else f"{ratio:.1f}" if abs(ratio) < 100 else f"{ratio:.0f}"
