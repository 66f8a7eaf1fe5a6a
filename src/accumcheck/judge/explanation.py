"""Why a run gave what it gave: the samples' weights, and the rules of loss and gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accumcheck.judge.batching import BatchRules, batch_rules
from accumcheck.judge.compare import Recovery, Truth, of_its_own
from accumcheck.judge.explain import Rules, gradient_rules, loss_rules
from accumcheck.judge.weights import summarise
from accumcheck.record import ReferenceObservation, SampleWeights, Split, SplitObservation, Tolerances


@dataclass(frozen=True)
class Explanation:
    """Why the numbers are what they are; without a reference nothing is known.

    ``batch`` is None for a model that treats each sample for itself; ``weights`` are empty for one that does not.
    """

    weights: Mapping[Split, SampleWeights] = field(default_factory=dict)
    loss: Rules | None = None
    gradient: Rules | None = None
    batch: BatchRules | None = None


def rule_of(rules: Rules | None, split: Split) -> str | None:
    """The rule of one split; None where nothing is known of it."""
    return rules.of[split].rule if rules is not None and split in rules.of else None


def explain_run(
    good: Sequence[SplitObservation],
    recovered: Sequence[Recovery],
    truths: Mapping[Split, Sequence[Truth]],
    reference: ReferenceObservation | None,
    tolerances: Tolerances,
) -> Explanation:
    """Recovered weights per split, and the rules of loss and gradient."""
    if reference is None or not good:
        return Explanation()
    if reference.batched:
        rules = batch_rules(good, reference, tolerances)
        return Explanation({}, rules.loss, rules.gradient, rules)
    weights: dict[Split, SampleWeights] = {}
    for split in good:
        found = [
            of_its_own(step.of[split.split], split.steps[position], truths[split.split][position], step.truth.tokens)
            for position, step in enumerate(recovered)
            if split.split in step.of
        ]
        if found:
            weights[split.split] = summarise(
                [step.weights for step in found],
                [step.ideal for step in found],
                [step.members for step in found],
                [step.residual for step in found],
                max(step.condition for step in found),
            )
    by_gradient = gradient_rules(good, recovered, weights, reference, tolerances)
    told = any(step.loss is not None for split in good for step in split.steps)  # a loop of one's own may not tell
    by_loss = loss_rules(good, recovered, by_gradient, reference, tolerances) if told else None
    return Explanation(weights, by_loss, by_gradient)
