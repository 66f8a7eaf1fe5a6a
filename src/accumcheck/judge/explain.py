"""Rules for the run and for each split, from the recovered weights and the reported losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from accumcheck.judge.compare import Recovery
from accumcheck.judge.epochs import has_short_step
from accumcheck.judge.rules import UNEXPLAINED, Fit, Step, fit_gradient, fit_loss
from accumcheck.record import ReferenceObservation, SampleWeights, Split, SplitObservation, Tolerances

BEYOND = ("dropped-samples", "duplicated-samples", UNEXPLAINED)
"""What is said where no formula fits."""


@dataclass(frozen=True)
class Rules:
    """The rule of the whole run, and each split's: the run's where it fits, else the split's own."""

    run: Fit
    of: Mapping[Split, Fit]


def gradient_rules(
    splits: Sequence[SplitObservation],
    recovered: Sequence[Recovery],
    weights: Mapping[Split, SampleWeights],
    reference: ReferenceObservation,
    tolerances: Tolerances,
) -> Rules:
    """Explain the gradients; ``recovered`` has one entry a step.

    Where no formula fits a split, samples that its weights show as dropped or duplicated name its rule.
    """
    in_weights = tolerances.gradient if tolerances.weights is None else tolerances.weights

    def fit(chosen: Sequence[SplitObservation]) -> Fit:
        observed = []
        for position, recovery in enumerate(recovered):
            for split in chosen:
                if position >= len(split.steps):
                    continue
                found = recovery.of.get(split.split)
                if found is None:
                    return Fit(UNEXPLAINED)
                observed.append((_step(split, position, reference, found.members), found, recovery.gram))
        return fit_gradient(observed, in_weights, tolerances.gradient) if observed else Fit(UNEXPLAINED)

    return explain(splits, fit, lambda split: _by_samples(weights.get(split.split)))


def loss_rules(
    splits: Sequence[SplitObservation],
    recovered: Sequence[Recovery],
    gradients: Rules,
    reference: ReferenceObservation,
    tolerances: Tolerances,
) -> Rules:
    """Explain the reported losses.

    Where no formula fits a split, but the weights recovered from its gradient give its loss as well, one cause is
    behind both, and the loss takes the gradient's name.
    """

    def fit(chosen: Sequence[SplitObservation]) -> Fit:
        steps = [
            (_step(split, position, reference), observed.loss)
            for split in chosen
            for position, observed in enumerate(split.steps)
            if observed.loss is not None
        ]
        if not steps or not all(math.isfinite(loss) for _, loss in steps):
            return Fit(UNEXPLAINED)
        return fit_loss(steps, reference.losses, tolerances.loss)

    def otherwise(split: SplitObservation) -> str:
        follows = _follows_gradient(split, recovered, reference, tolerances)
        return gradients.of[split.split].rule if follows else UNEXPLAINED

    return explain(splits, fit, otherwise)


def explain(
    splits: Sequence[SplitObservation],
    fit: Callable[[Sequence[SplitObservation]], Fit],
    otherwise: Callable[[SplitObservation], str],
) -> Rules:
    """One formula for all splits together, else each split's own, else what is to be said of it ``otherwise``."""
    whole = fit(splits) if splits else Fit(UNEXPLAINED)
    if whole.rule != UNEXPLAINED:
        return Rules(whole, {split.split: whole for split in splits})
    # of a split alone, a short step divided by k can look like powers of k and n: all splits together know better
    own = {split.split: whole if whole.tail_over_k and has_short_step(split) else fit([split]) for split in splits}
    named = dict(own)
    for split in splits:
        if own[split.split].rule == UNEXPLAINED:
            named[split.split] = replace(own[split.split], rule=otherwise(split))
    beyond = {found.rule for found in named.values()} & set(BEYOND)
    return Rules(Fit(beyond.pop()) if len(beyond) == 1 else whole, named)


def _by_samples(weights: SampleWeights | None) -> str:
    if weights is not None and weights.dropped:
        return "dropped-samples"
    if weights is not None and weights.duplicated:
        return "duplicated-samples"
    return UNEXPLAINED


def _follows_gradient(
    split: SplitObservation,
    recovered: Sequence[Recovery],
    reference: ReferenceObservation,
    tolerances: Tolerances,
) -> bool:
    """Whether the recovered weights, put on the samples' losses, give the reported loss of every step."""
    for step, recovery in zip(split.steps, recovered, strict=False):
        found = recovery.of.get(split.split)
        if found is None or step.loss is None:
            return False
        predicted = float(found.weights @ reference.losses[list(found.members)])
        allowed = tolerances.loss + found.residual  # the weights are known no better than that
        if not abs(step.loss - predicted) <= allowed * abs(predicted):
            return False
    return True


def _step(
    split: SplitObservation, position: int, reference: ReferenceObservation, members: Sequence[int] | None = None
) -> Step:
    return Step(split.split, split.steps[position].micro_batches, reference.tokens, reference.labels, members)
