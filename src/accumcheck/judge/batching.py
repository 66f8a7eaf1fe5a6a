"""A model that depends on its batch: each split is judged beside its own micro-batches, not beside single samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from accumcheck.judge.compare import Truth
from accumcheck.judge.divergence import gradient_error, relative
from accumcheck.judge.explain import Rules, explain
from accumcheck.judge.rules import FAMILY, UNEXPLAINED, Fit, Rule
from accumcheck.record import (
    BatchedStep,
    BatchTerm,
    Finding,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepObservation,
    Tolerances,
)

Vector: TypeAlias = npt.NDArray[np.float64]
_Fits: TypeAlias = Callable[[Rule, Rule, SplitObservation, StepObservation], bool]
"""Whether a step follows a rule, with the additive term counted as another rule says."""

SCALES = tuple(rule for rule in FAMILY if rule.base == "token-mean")
"""Times or over ``k`` and ``n``: how often an additive term can have been counted."""


def batched_truth(reference: ReferenceObservation, step: int, size: int, alone: Truth) -> Truth:
    """The right answer for one step in micro-batches of ``size``; ``alone`` is that of its samples one by one."""
    found = _steps(reference).get(("token-mean", step, size))
    if found is None:
        return alone
    gradient = found.gradient.astype(np.float64, copy=False)
    return replace(alone, loss=found.loss, grad_norm=found.grad_norm, gradient=gradient)


@dataclass(frozen=True)
class BatchRules:
    """What explains a model that depends on its batch.

    ``of_term``: how often the stack counted the additive term, where it did otherwise than with the rest of the loss.
    """

    loss: Rules
    gradient: Rules
    of_term: Rule | None


def batch_rules(
    splits: Sequence[SplitObservation], reference: ReferenceObservation, tolerances: Tolerances
) -> BatchRules:
    """Explain losses and gradients by ``reference.batched``: the model's own, times or over ``k`` and ``n``.

    Where no such rule fits, and the loss has an additive term, rules are tried in which the term is counted otherwise
    than the rest.
    """
    right = _steps(reference)

    def beside(rule: Rule, split: SplitObservation, step: StepObservation) -> BatchedStep | None:
        at = (step.step, split.split.per_device_train_batch_size)
        found = right.get((rule.base, *at))
        if found is None and rule.base == "microbatch-mean":  # every micro-batch predicts as much: the same
            found = right.get(("token-mean", *at))
        return found if found is not None and _same_batches(step, found) else None

    def loss_fits(rule: Rule, term: Rule, split: SplitObservation, step: StepObservation) -> bool:
        found = beside(rule, split, step)
        if found is None or step.loss is None:
            return False
        predicted = rule.factor(split.split) * found.loss
        if found.term is not None:
            predicted += (term.factor(split.split) - rule.factor(split.split)) * found.term
        off = relative(step.loss, predicted)
        return off is not None and off <= tolerances.loss

    def gradient_fits(rule: Rule, term: Rule, split: SplitObservation, step: StepObservation) -> bool:
        found = beside(rule, split, step)
        if found is None:
            return False
        predicted: Vector = rule.factor(split.split) * found.gradient.astype(np.float64, copy=False)
        if found.term_gradient is not None:
            predicted = predicted + (term.factor(split.split) - rule.factor(split.split)) * found.term_gradient
        return gradient_error(step.gradients[0], predicted) <= tolerances.gradient

    def fitting(
        chosen: Sequence[SplitObservation], fits: _Fits, terms: Sequence[Rule] | None
    ) -> list[tuple[Rule, Rule]]:
        steps = [(split, step) for split in chosen for step in split.steps]
        return [
            (rule, term)
            for rule in FAMILY
            for term in (terms or [rule])
            if steps and all(fits(rule, term, split, step) for split, step in steps)
        ]

    def rules(fits: _Fits) -> Rules:
        def fit(chosen: Sequence[SplitObservation]) -> Fit:
            names = [str(rule) for rule, _ in fitting(chosen, fits, None)]
            return Fit(names[0], tuple(names[1:])) if names else Fit(UNEXPLAINED)

        return explain(splits, fit, lambda _: UNEXPLAINED)

    by_loss, by_gradient = rules(loss_fits), rules(gradient_fits)
    of_term = None
    if by_gradient.run.rule == UNEXPLAINED and reference.batch_term is not None and reference.batch_term.additive:
        pairs = fitting(splits, gradient_fits, SCALES)
        of_term = next((term for rule, term in pairs if rule.base == "token-mean"), None)
    return BatchRules(by_loss, by_gradient, of_term)


def explained_by_batching(splits: Sequence[SplitObservation], rules: BatchRules | None) -> frozenset[Split]:
    """The splits that give what the model gives by itself in their micro-batches: no stack did anything wrong."""
    if rules is None:
        return frozenset()

    def alone(split: Split) -> bool:
        unscaled = {str(rule) for rule in SCALES if rule.factor(split) == 1}
        return {rules.loss.of[split].rule, rules.gradient.of[split].rule} <= unscaled

    return frozenset(split.split for split in splits if alone(split.split))


def batching_finding(reference: ReferenceObservation, splits: Sequence[SplitObservation], control: Split) -> Finding:
    """A model whose loss for a sample depends on the others in its micro-batch: why, and how much that explains."""
    term = reference.batch_term
    if term is not None and term.of_stack:
        return _of_loss(term, reference.batch_effect)
    cause = f"because of {term.name}" if term is not None else "for a reason that was not found"
    partly = "" if term is None or term.complete else " (and of something else: without it, batching still matters)"
    by_split = {split.split: split for split in splits}
    shares = _explained(reference, by_split, control)
    return Finding(
        id="batch-dependent-model",
        severity="warn",
        splits=(),
        summary=(
            f"without any stack, batching changes this model's results by up to {reference.batch_effect:.2g}, "
            f"{cause}{partly}"
            + (f"; of the gradient's difference from the control that explains {', '.join(shares)}" if shares else "")
        ),
        explanation=(
            "Samples of a micro-batch affect each other, so that splits with other per-device batches cannot agree. "
            "Each split was therefore judged beside its own micro-batches, computed without the stack."
        ),
        advice="Keep the per-device batch the same in runs that are to agree.",
    )


def _of_loss(term: BatchTerm, effect: float) -> Finding:
    """A loss of the stack's own that samples of a micro-batch enter together."""
    return Finding(
        id="batch-dependent-model",
        severity="warn",
        splits=(),
        summary=(
            f"{term.name} makes of several samples another loss than the mean of what it makes of each alone: a "
            f"difference of up to {effect:.2g}, without any accumulation"
        ),
        explanation=(
            "Samples of a micro-batch affect each other in the loss itself, so that splits with other per-device "
            "batches cannot agree. Each split was therefore judged beside its own micro-batches."
        ),
        advice="Keep the per-device batch the same in runs that are to agree.",
    )


def blame_term(finding: Finding, rules: BatchRules | None, reference: ReferenceObservation | None) -> Finding:
    """The finding on splits that no rule explains, with what is known of the term that the stack counts otherwise."""
    if finding.gradient_rule != UNEXPLAINED or rules is None or rules.of_term is None:
        return finding
    if reference is None or reference.batch_term is None:
        return finding
    name = reference.batch_term.name.partition(",")[0]
    scale = str(rules.of_term).removeprefix("token-mean").lstrip("*") or "1"
    return replace(
        finding,
        explanation=(
            f"The rest of the loss is right, but {name} is counted {scale} times its mean over the micro-batches: "
            "it is added in every micro-batch, and nothing averages it."
        ),
        consequence="The weight of that term in training depends on the split.",
        advice=f"Divide the coefficient of that term in the model's config by {scale}, or leave the term out.",
    )


def _explained(reference: ReferenceObservation, splits: Mapping[Split, SplitObservation], control: Split) -> list[str]:
    """Of each split whose gradient is not the control's: how much of that its own micro-batches account for."""
    found = []
    right = _steps(reference)
    for split, observed in splits.items():
        own = right.get(("token-mean", 1, split.per_device_train_batch_size))
        if split == control or control not in splits or own is None or not observed.steps:
            continue
        gradient = observed.steps[0].gradients[0].astype(np.float64, copy=False)
        apart = float(np.linalg.norm(gradient - splits[control].steps[0].gradients[0]))
        left = float(np.linalg.norm(gradient - own.gradient))
        if np.isfinite(apart) and np.isfinite(left) and apart > 0:
            found.append(f"{max(0.0, 1 - left / apart):.0%} in {split}")
    return found


def _steps(reference: ReferenceObservation) -> dict[tuple[str, int, int], BatchedStep]:
    return {(step.base, step.step, step.size): step for step in reference.batched}


def _same_batches(step: StepObservation, right: BatchedStep) -> bool:
    fed = sorted(tuple(sorted(batch.samples)) for batch in step.micro_batches)
    return fed == sorted(tuple(sorted(batch)) for batch in right.micro_batches)
