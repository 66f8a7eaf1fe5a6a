"""Explains a run's results: the samples' weights, and the rules of loss and gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accumcheck.judge.causes.batching import BatchRules, batch_rules, explained_by_batching
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.compare import of_its_own
from accumcheck.judge.measure.recovery import summarise
from accumcheck.judge.rules.explain import Rules, explain, with_others
from accumcheck.judge.rules.fit import Fit, fit_gradient, fit_loss
from accumcheck.judge.rules.over_steps import from_a_step
from accumcheck.judge.rules.step import Array, Step
from accumcheck.record import ReferenceObservation, SampleWeights, Split, SplitObservation
from accumcheck.record.rule import TOKEN_MEAN, UNEXPLAINED, Rule


@dataclass(frozen=True)
class Explanation:
    """Explains the numbers; empty without a reference.

    ``batch`` is None for a model that treats each sample independently; ``weights`` is empty for one that does not.
    ``by_batching``: splits that give the model's own result for their micro-batches.
    """

    weights: Mapping[Split, SampleWeights] = field(default_factory=dict)
    loss: Rules | None = None
    gradient: Rules | None = None
    batch: BatchRules | None = None
    by_batching: frozenset[Split] = frozenset()

    def loss_of(self, split: Split) -> Rule | None:
        """The rule of one split's losses; None if it is not known."""
        return _rule_of(self.loss, split)

    def gradient_of(self, split: Split) -> Rule | None:
        """The rule of one split's gradients; None if it is not known."""
        return _rule_of(self.gradient, split)


def explain_run(seen: Evidence) -> Explanation:
    """Recovered weights per split, and the rules of loss and gradient.

    The run's rules are fitted to the splits that no detector has condemned: other kinds of faults have no formula.
    """
    reference = seen.reference
    if reference is None or not seen.good:
        return Explanation()
    sound = [split for split in seen.good if split.split not in seen.condemned]
    others = [split for split in seen.good if split.split in seen.condemned]
    if reference.batched:
        rules = batch_rules(sound, others, reference, seen.tolerances)
        of_stack = reference.batch_term is not None and reference.batch_term.of_stack
        by_batching = explained_by_batching(sound, rules, of_stack=of_stack)
        return Explanation({}, rules.loss, rules.gradient, rules, by_batching)

    def fit_gradients(splits: Sequence[SplitObservation], steps: slice = slice(None)) -> Fit:
        return _fit_gradients(splits, seen, reference, steps)

    def fit_losses(splits: Sequence[SplitObservation], steps: slice = slice(None)) -> Fit:
        return _fit_losses(splits, seen, reference, steps)

    gradient = explain(sound, fit_gradients, lambda split, _: _by_samples(_weights(split, seen, UNEXPLAINED)))
    gradient = from_a_step(sound, gradient, fit_gradients)
    gradient = with_others(gradient, others, fit_gradients)
    weights = {
        split.split: summary
        for split in seen.good
        if (summary := _weights(split, seen, gradient.of[split.split].rule)) is not None
    }
    loss = None
    if any(step.loss is not None for split in seen.good for step in split.steps):  # a user's loop may report none

        def otherwise(split: SplitObservation, _: Fit) -> Rule:
            follows = _follows_gradient(split, seen, reference)
            return gradient.of[split.split].rule if follows else UNEXPLAINED

        loss = explain(sound, fit_losses, otherwise)
        if _found(gradient) and not _found(loss) and all(_follows_gradient(one, seen, reference) for one in sound):
            loss = gradient  # both have the same cause
        if reference.not_judged and not _found(loss):
            return Explanation(weights, None, gradient)  # single rows have no losses to weight there
        loss = from_a_step(sound, loss, fit_losses)
        loss = with_others(loss, others, fit_losses)
    return Explanation(weights, loss, gradient)


def _rule_of(rules: Rules | None, split: Split) -> Rule | None:
    return rules.of[split].rule if rules is not None and split in rules.of else None


def _found(rules: Rules) -> bool:
    return rules.run is not None and rules.run.found


def _fit_gradients(
    splits: Sequence[SplitObservation], seen: Evidence, reference: ReferenceObservation, steps: slice
) -> Fit:
    tolerances = seen.tolerances
    in_weights = tolerances.gradient if tolerances.weights is None else tolerances.weights
    observed = []
    noise = []
    for position, recovery in list(enumerate(seen.recovered))[steps]:
        for split in splits:
            if position >= len(split.steps):
                continue
            found = recovery.of.get(split.split)
            if found is None:
                return Fit(UNEXPLAINED)
            observed.append((_step(split, position, reference, found.members), found, recovery.gram))
            noise.append(recovery.samples)
    if not observed:
        return Fit(UNEXPLAINED)

    def by_sample(at: int, predicted: Array) -> bool:
        samples = noise[at]
        return samples is None or samples.fits(observed[at][1].weights, predicted)

    fit = fit_gradient(observed, in_weights, tolerances.gradient, by_sample)
    # for many nearly equal samples the weights cannot be solved; a right gradient is still right
    if not fit.found and max(found.residual for _, found, _ in observed) > tolerances.gradient:
        records = [record for split in splits for record in seen.records[split.split][steps]]
        if all(_is_right(record.vs_reference.gradient, tolerances.gradient) for record in records):
            return Fit(TOKEN_MEAN)
    return fit


def _is_right(error: float | None, tolerance: float) -> bool:
    return error is not None and error <= tolerance


def _fit_losses(
    splits: Sequence[SplitObservation], seen: Evidence, reference: ReferenceObservation, steps: slice
) -> Fit:
    observed = [
        (_step(split, position, reference), one.loss)
        for split in splits
        for position, one in list(enumerate(split.steps))[steps]
        if one.loss is not None
    ]
    if not observed or not all(math.isfinite(loss) for _, loss in observed):
        return Fit(UNEXPLAINED)
    return fit_loss(observed, reference.losses, seen.tolerances.loss, seen.tolerances.loss_rounding)


def _weights(split: SplitObservation, seen: Evidence, rule: Rule) -> SampleWeights | None:
    """The summary of a split's recovered weights, relative to the scale that its rule explains; None without any."""
    found = [
        of_its_own(step.of[split.split], split.steps[position], seen.truths[split.split][position], step.truth.tokens)
        for position, step in enumerate(seen.recovered)
        if split.split in step.of
    ]
    if not found:
        return None
    return summarise(
        [step.weights for step in found],
        [step.ideal for step in found],
        [step.members for step in found],
        [step.residual for step in found],
        max(step.condition for step in found),
        rule.factor(split.split),
    )


def _by_samples(weights: SampleWeights | None) -> Rule:
    if weights is not None and weights.dropped:
        return Rule("dropped-samples")
    if weights is not None and weights.duplicated:
        return Rule("duplicated-samples")
    return UNEXPLAINED


def _follows_gradient(split: SplitObservation, seen: Evidence, reference: ReferenceObservation) -> bool:
    """Whether the recovered weights, applied to the samples' losses, give the reported loss of every step."""
    for step, recovery in zip(split.steps, seen.recovered, strict=False):
        found = recovery.of.get(split.split)
        if found is None or step.loss is None:
            return False
        predicted = float(found.weights @ reference.losses[list(found.members)])
        allowed = seen.tolerances.loss + found.residual  # the precision of the weights
        if not abs(step.loss - predicted) <= allowed * abs(predicted) + seen.tolerances.loss_rounding:
            return False
    return True


def _step(
    split: SplitObservation, position: int, reference: ReferenceObservation, members: Sequence[int] | None = None
) -> Step:
    return Step(split.split, split.steps[position].micro_batches, reference.tokens, reference.labels, members)
