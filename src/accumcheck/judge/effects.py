"""Which splits diverge, by how much, and the findings that say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from accumcheck.judge import findings as say
from accumcheck.judge.compare import Truth
from accumcheck.judge.verdict import diverges, finite
from accumcheck.record import Finding, Severity, Split, SplitResult, StepRecord, Tolerances


def divergences(
    results: Sequence[SplitResult],
    truths: Mapping[Split, Sequence[Truth]],
    control: Split,
    tolerances: Tolerances,
) -> list[Finding]:
    """One finding for each pair of rules that diverging splits follow, the most splits first."""
    groups: dict[tuple[str | None, str | None], list[SplitResult]] = {}
    for result in results:
        if result.steps and _any_divergence(result, tolerances):
            groups.setdefault((result.loss_rule, result.gradient_rule), []).append(result)
    against = "reference" if truths else "control"
    # both may be right, each to within its tolerance, and yet further apart than that from each other
    control_is_right = any(result.split == control and _is_right(result, truths, tolerances) for result in results)
    found = []
    for (loss_rule, gradient_rule), members in sorted(groups.items(), key=lambda group: -len(group[1])):
        verdicts = {member.verdict for member in members}
        if verdicts == {"pass"}:  # the configuration says to ignore this rule
            continue
        base = None if truths else next((other for other in results if other.split == control), None)
        effects = [_effect(member, truths.get(member.split, ()), base, tolerances) for member in members]
        severity: Severity = "warn" if verdicts <= {"pass", "warn"} else "fail"
        if not control_is_right and all(_is_right(member, truths, tolerances) for member in members):
            found.append(say.control_finding(severity, effects, control, loss_rule, gradient_rule))
        else:
            found.append(say.divergence_finding(severity, effects, loss_rule, gradient_rule, against))
    return found


def _any_divergence(result: SplitResult, tolerances: Tolerances) -> bool:
    return any(
        not finite(step) or any(diverges(step.vs_control, tolerances)) or any(diverges(step.vs_reference, tolerances))
        for step in result.steps
    )


def _is_right(result: SplitResult, truths: Mapping[Split, Sequence[Truth]], tolerances: Tolerances) -> bool:
    """Whether every step gives the reference's loss and gradient; without a reference nothing is known to."""
    return bool(truths) and all(
        finite(step) and not any(diverges(step.vs_reference, tolerances)) for step in result.steps
    )


def _effect(
    result: SplitResult, truths: Sequence[Truth], base: SplitResult | None, tolerances: Tolerances
) -> say.Effect:
    """The split's ratios to the truth (or to the base, where there is no truth), in its worst step."""

    def off(step: StepRecord) -> float:
        found = step.vs_reference if truths else step.vs_control
        known = [value for value in (found.loss, found.gradient) if value is not None]
        return math.inf if any(math.isnan(value) for value in known) else max(known, default=0.0)

    worst = max(result.steps, key=off)
    right: Truth | StepRecord | None = (
        truths[worst.step - 1] if truths else (base.steps[worst.step - 1] if base else None)
    )
    divergence = worst.vs_reference if truths else worst.vs_control
    return say.Effect(
        split=result.split,
        loss=_ratio(worst.loss, right.loss if right else None),
        grad_norm=_ratio(worst.grad_norm, right.grad_norm if right else None),
        gradient=divergence.gradient,
        weights=_in_weights_alone(result, tolerances),
    )


def _in_weights_alone(result: SplitResult, tolerances: Tolerances) -> float | None:
    """How far the weights are off, where they are beyond tolerance and the gradient as a whole is not."""
    apart = [found for step in result.steps for found in (step.vs_control, step.vs_reference)]
    whole = max((found.gradient for found in apart if found.gradient is not None), default=0.0)
    part = max((found.weights for found in apart if found.weights is not None), default=0.0)
    if tolerances.weights is None or not whole <= tolerances.gradient or not part > tolerances.weights:
        return None
    return part


def _ratio(value: float | None, right: float | None) -> float | None:
    return None if value is None or not right else value / right
