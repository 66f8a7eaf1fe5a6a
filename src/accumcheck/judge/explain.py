"""Rules for the run and for each split, from the recovered weights and the reported losses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.compare import Recovered
from accumcheck.judge.rules import UNEXPLAINED, Fit, Step, fit_gradient, fit_loss
from accumcheck.record import ReferenceObservation, SampleWeights, Split, SplitObservation, Tolerances


@dataclass(frozen=True)
class Rules:
    """The rule of the whole run, and each split's: the run's where it fits, else the split's own."""

    run: Fit
    of: Mapping[Split, Fit]


def loss_rules(splits: Sequence[SplitObservation], reference: ReferenceObservation, tolerances: Tolerances) -> Rules:
    """Explain the reported losses."""

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

    return _rules(splits, fit)


def gradient_rules(
    splits: Sequence[SplitObservation],
    recovered: Sequence[tuple[Mapping[Split, Recovered], npt.NDArray[np.float64]]],
    weights: Mapping[Split, SampleWeights],
    reference: ReferenceObservation,
    tolerances: Tolerances,
) -> Rules:
    """Explain the gradients; ``recovered`` has one entry a step.

    Where no formula fits a split, samples that its weights show as dropped or duplicated name its rule.
    """

    def fit(chosen: Sequence[SplitObservation]) -> Fit:
        observed = []
        for position, (weights, gram) in enumerate(recovered):
            for split in chosen:
                found = weights.get(split.split)
                if found is None:
                    return Fit(UNEXPLAINED)
                observed.append((_step(split, position, reference, found.members), found, gram))
        if not observed:
            return Fit(UNEXPLAINED)
        return fit_gradient(observed, tolerances.gradient)

    by_formula = _rules(splits, fit)
    named = {
        split: Fit(_by_samples(weights.get(split))) if found.rule == UNEXPLAINED else found
        for split, found in by_formula.of.items()
    }
    beyond = {found.rule for found in named.values()} & {"dropped-samples", "duplicated-samples", UNEXPLAINED}
    whole = Fit(beyond.pop()) if by_formula.run.rule == UNEXPLAINED and len(beyond) == 1 else by_formula.run
    return Rules(whole, named)


def _by_samples(weights: SampleWeights | None) -> str:
    if weights is not None and weights.dropped:
        return "dropped-samples"
    if weights is not None and weights.duplicated:
        return "duplicated-samples"
    return UNEXPLAINED


def _step(
    split: SplitObservation, position: int, reference: ReferenceObservation, members: Sequence[int] | None = None
) -> Step:
    return Step(split.split, split.steps[position].micro_batches, reference.tokens, reference.labels, members)


def _rules(splits: Sequence[SplitObservation], fit: Callable[[Sequence[SplitObservation]], Fit]) -> Rules:
    whole = fit(splits) if splits else Fit(UNEXPLAINED)
    if whole.rule != UNEXPLAINED:
        return Rules(whole, {split.split: whole for split in splits})
    return Rules(whole, {split.split: fit([split]) for split in splits})
