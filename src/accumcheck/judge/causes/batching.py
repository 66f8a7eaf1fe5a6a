"""A model that depends on its batch: how much of each split its own micro-batches explain, without any stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.errors import gradient_error, loss_difference
from accumcheck.judge.measure.truths import batched_steps
from accumcheck.judge.rules.explain import Rules, explain, with_others
from accumcheck.judge.rules.family import FAMILY, OF_K_AND_N
from accumcheck.judge.rules.fit import Fit
from accumcheck.judge.rules.words import scale_words
from accumcheck.record import (
    BatchedStep,
    Finding,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepObservation,
    Tolerances,
)
from accumcheck.record.rule import UNEXPLAINED, Rule

Vector: TypeAlias = npt.NDArray[np.float64]
_Fits: TypeAlias = Callable[[Rule, Rule, SplitObservation, StepObservation], bool]
"""Whether a step follows a rule, with the additive term counted by another rule."""

SCALES = tuple(rule for rule in OF_K_AND_N if rule.base == "token-mean")
"""Times or over ``k`` and ``n``: how often an additive term can have been counted."""


@dataclass(frozen=True)
class BatchRules:
    """What explains a model that depends on its batch.

    ``loss``: None if no split reports a loss.
    ``of_term``: how often the stack counted the additive term, if that differs from the rest of the loss.
    """

    loss: Rules | None
    gradient: Rules
    of_term: Rule | None


def batch_rules(
    splits: Sequence[SplitObservation],
    others: Sequence[SplitObservation],
    reference: ReferenceObservation,
    tolerances: Tolerances,
) -> BatchRules:
    """Explain losses and gradients by ``reference.batched``: the model's own, times or over ``k`` and ``n``.

    If no such rule fits, and the loss has an additive term, rules are tried in which the term is counted differently
    from the rest. ``others``: splits to which the run's rule is not fitted.
    """
    family = FAMILY if any(one.split.per_device_train_batch_size > 1 for one in splits) else OF_K_AND_N
    right = batched_steps(reference)

    def computed(rule: Rule, split: SplitObservation, step: StepObservation) -> BatchedStep | None:
        at = (step.step, split.split.per_device_train_batch_size)
        found = right.get((rule.base, *at))
        if found is None and rule.base == "microbatch-mean":  # all micro-batches have equal counts: it is the same
            found = right.get(("token-mean", *at))
        return found if found is not None and _same_batches(step, found) else None

    def loss_fits(rule: Rule, term: Rule, split: SplitObservation, step: StepObservation) -> bool:
        found = computed(rule, split, step)
        if found is None or step.loss is None:
            return False
        predicted = rule.factor(split.split) * found.loss
        if found.term is not None:
            predicted += (term.factor(split.split) - rule.factor(split.split)) * found.term
        off = loss_difference(step.loss, predicted, tolerances.loss_rounding)
        return off is not None and off <= tolerances.loss

    def gradient_fits(rule: Rule, term: Rule, split: SplitObservation, step: StepObservation) -> bool:
        found = computed(rule, split, step)
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
            for rule in family
            for term in (terms or [rule])
            if steps and all(fits(rule, term, split, step) for split, step in steps)
        ]

    def rules(fits: _Fits) -> Rules:
        def fit(chosen: Sequence[SplitObservation]) -> Fit:
            found = [rule for rule, _ in fitting(chosen, fits, None)]
            return Fit(found[0], tuple(found[1:])) if found else Fit(UNEXPLAINED)

        return with_others(explain(splits, fit, lambda *_: UNEXPLAINED), others, fit)

    reported = any(step.loss is not None for split in (*splits, *others) for step in split.steps)
    by_loss, by_gradient = rules(loss_fits) if reported else None, rules(gradient_fits)
    of_term = None
    unexplained = by_gradient.run is not None and by_gradient.run.rule == UNEXPLAINED
    if unexplained and reference.batch_term is not None and reference.batch_term.additive:
        pairs = fitting(splits, gradient_fits, SCALES)
        of_term = next((term for rule, term in pairs if rule.base == "token-mean"), None)
    return BatchRules(by_loss, by_gradient, of_term)


def explained_by_batching(
    splits: Sequence[SplitObservation], rules: BatchRules | None, *, of_stack: bool = False
) -> frozenset[Split]:
    """The splits that give the model's own result for their micro-batches: the stack did nothing wrong.

    ``of_stack``: something else computes the loss, as one number per micro-batch. It is not known whether
    micro-batches should have equal weights or be weighted by their predictions, so both count as right.
    """
    if rules is None:
        return frozenset()

    def alone(split: Split) -> bool:
        unscaled = {rule for rule in SCALES if rule.factor(split) == 1}
        if of_stack:
            unscaled |= {replace(rule, base="microbatch-mean") for rule in unscaled}
        found = (rules.gradient, *([rules.loss] if rules.loss is not None else []))
        return {one.of[split].rule for one in found} <= unscaled

    return frozenset(split.split for split in splits if alone(split.split))


def _same_batches(step: StepObservation, right: BatchedStep) -> bool:
    fed = sorted(tuple(sorted(batch.samples)) for batch in step.micro_batches)
    return fed == sorted(tuple(sorted(batch)) for batch in right.micro_batches)


def blame_term(finding: Finding, rules: BatchRules | None, reference: ReferenceObservation | None) -> Finding:
    """A finding about splits that no rule explains, extended by what is known about a term counted differently."""
    if rules is None or rules.of_term is None or reference is None or reference.batch_term is None:
        return finding
    scale = scale_words(rules.of_term)
    name = reference.batch_term.output or reference.batch_term.name
    return replace(
        finding,
        explanation=(
            f"The rest of the loss is right, but {name} is counted {scale} times its mean over the micro-batches: "
            "it is added in every micro-batch, and never averaged."
        ),
        consequence="The weight of that term in training depends on the split.",
        advice=f"Divide the coefficient of that term in the model's config by {scale}, or leave the term out.",
    )
