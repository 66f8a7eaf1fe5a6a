"""The loss, the gradient norm, the gradient and the update of a split, each with a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from accumcheck.report import numbers
from accumcheck.report.parts.updates import update_verdict, update_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Divergence, ReferenceStep, Report, SplitResult, StepRecord, Tolerances, Verdict

Measure = Literal["loss", "grad_norm", "gradient"]
METRICS: tuple[Measure, ...] = ("loss", "grad_norm", "gradient")
_NAMES = {"loss": "loss", "grad_norm": "gradient norm", "gradient": "gradient"}


@dataclass(frozen=True, slots=True)
class Metric:
    """One of `METRICS` of one split, or its update: its verdict, and one line with the reason."""

    name: Measure | Literal["update"]
    verdict: Verdict
    text: str


@dataclass(frozen=True, slots=True)
class Versus:
    """The difference of a split from the control or the reference: the largest of all steps, and as text."""

    difference: float | None
    text: str


def metrics(split: SplitResult, report: Report) -> list[Metric]:
    """The split's verdict for the metrics that are beyond tolerance, or for all metrics if none is.

    Nothing is judged again: in a split that passed every metric passes, and in one that did not run none does. Where
    its update is what is wrong with a split, and no metric is beyond tolerance, the metrics pass.
    """
    if split.status != "ran" or split.verdict in ("error", "skipped"):
        verdict: Verdict = "error" if split.status == "ran" else split.verdict
        return [Metric(name, verdict, split.reason or "no reason was recorded") for name in METRICS]
    of_update = update_verdict(split, report)
    beyond = [name for name in METRICS if _beyond(name, split, report.tolerances)]
    if not beyond and of_update != split.verdict:  # something else is wrong with it
        beyond = list(METRICS)
    found = [Metric(name, split.verdict if name in beyond else "pass", _text(name, split, report)) for name in METRICS]
    if of_update is not None:
        found.append(Metric("update", of_update, f"update: {update_words(split, report)}"))
    return found


def control_of(report: Report) -> SplitResult | None:
    """The split that the others are compared with, if it is among them."""
    return next((split for split in report.splits if split.is_control), None)


def versus_control(split: SplitResult, control: SplitResult | None, name: Measure) -> Versus:
    """The split compared with the control: ``x 2.00``, or a small relative difference."""
    return _versus([(step, step.vs_control) for step in split.steps], () if control is None else control.steps, name)


def versus_reference(split: SplitResult, reference: Sequence[ReferenceStep], name: Measure) -> Versus:
    """The split compared with the reference: ``x 2.00``, or a small relative difference."""
    return _versus([(step, step.vs_reference) for step in split.steps], reference, name)


def _versus(
    found: Sequence[tuple[StepRecord, Divergence]], others: Sequence[StepRecord | ReferenceStep], name: Measure
) -> Versus:
    largest = numbers.worst(difference_in(divergence, name) for _, divergence in found)
    if name == "gradient":
        return Versus(largest, numbers.difference(largest))
    at = next((step for step, divergence in found if difference_in(divergence, name) == largest), None)
    other = next((one for one in others if at is not None and one.step == at.step), None)
    return Versus(largest, numbers.ratio(_value(name, at), _value(name, other), largest))


def difference_in(found: Divergence, name: Measure) -> float | None:
    """The relative difference in one metric."""
    return {"loss": found.loss, "grad_norm": found.grad_norm, "gradient": found.gradient}[name]


def allowed(tolerances: Tolerances | None, name: Measure) -> float | None:
    """The allowed relative difference of one metric; None if nothing was compared."""
    if tolerances is None:
        return None
    return {"loss": tolerances.loss, "grad_norm": tolerances.grad_norm, "gradient": tolerances.gradient}[name]


def _value(name: Measure, step: StepRecord | ReferenceStep | None) -> float | None:
    return None if step is None else step.loss if name == "loss" else step.grad_norm


def _beyond(name: Measure, split: SplitResult, tolerances: Tolerances | None) -> bool:
    found = [one for step in split.steps for one in (step.vs_control, step.vs_reference)]
    limits = [(difference_in(one, name), allowed(tolerances, name)) for one in found]
    if name == "gradient" and tolerances is not None and tolerances.weights is not None:
        limits += [(one.weights, tolerances.weights) for one in found]
    if name == "gradient":
        limits += [(one.sample, 1.0) for one in found]
    values = [] if name == "gradient" else [_value(name, step) for step in split.steps]
    too_far = [value is not None and (limit is None or not value <= limit) for value, limit in limits]
    return any(map(numbers.is_bad, values)) or any(too_far)


def _text(name: Measure, split: SplitResult, report: Report) -> str:
    if not split.steps:
        return "no optimizer step was observed"
    others = [(versus_reference(split, report.reference, name).text, "reference")]
    if not split.is_control:
        others.insert(0, (versus_control(split, control_of(report), name).text, "control"))
    compared = ", ".join(f"{text} vs {other}" for text, other in others)
    worst = [step.worst_parameter for step in split.steps if step.worst_parameter is not None]
    parts = [f"{_NAMES[name]}: {compared}", f"tolerance {numbers.difference(allowed(report.tolerances, name))}"]
    if name == "gradient" and worst:
        parts.append(f"worst parameter {max(worst, key=lambda one: one.gradient).name}")
    if name != "gradient":
        parts.append(f"by step {', '.join(numbers.aligned([_value(name, step) for step in split.steps]))}")
    return "; ".join(parts)
