"""Rules for the run and for each split, from the recovered weights and the reported losses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from accumcheck.judge.measure.epochs import has_short_step
from accumcheck.judge.rules.fit import Fit
from accumcheck.record import Split, SplitObservation
from accumcheck.record.rule import UNEXPLAINED, Rule

BEYOND = (Rule("dropped-samples"), Rule("duplicated-samples"), UNEXPLAINED)
"""The rule if no formula fits."""

FitSplits = Callable[[Sequence[SplitObservation]], Fit]


@dataclass(frozen=True)
class Rules:
    """The rule of the whole run, and each split's: the run's if it fits, else the split's own.

    ``run`` is None if there was no split to fit.
    """

    run: Fit | None
    of: Mapping[Split, Fit]


def explain(
    splits: Sequence[SplitObservation], fit: FitSplits, otherwise: Callable[[SplitObservation, Fit], Rule]
) -> Rules:
    """One formula for all splits together, else each split's own, else ``otherwise``."""
    if not splits:
        return Rules(None, {})
    whole = fit(splits)
    if whole.found:
        return Rules(whole, {one.split: replace(whole, rule=whole.in_split(one.split)) for one in splits})
    # in a single split, a short step divided by k can look like powers of k and n; all splits together decide
    own = {one.split: whole if whole.tail_over_k and has_short_step(one) else fit([one]) for one in splits}
    simplest = min(splits, key=lambda one: one.split.gradient_accumulation_steps * one.split.replicas).split
    if not own[simplest].found:
        # its fault does not depend on k and n, though in the other splits it can look as if it did
        own = {split: Fit(UNEXPLAINED) if fitted.rule.factors else fitted for split, fitted in own.items()}
    named = dict(own)
    for one in splits:
        if not own[one.split].found:
            named[one.split] = replace(own[one.split], rule=otherwise(one, own[one.split]))
    beyond = {found.rule for found in named.values()} & set(BEYOND)
    return Rules(Fit(beyond.pop()) if len(beyond) == 1 else whole, named)


def with_others(rules: Rules, others: Collection[SplitObservation], fit: FitSplits) -> Rules:
    """The rules, with those of splits that were left out of the fit: the run's if it also fits such a split."""
    of = dict(rules.of)
    for one in others:
        own = fit([one])
        if rules.run is not None and rules.run.rule in own.alternatives:
            own = replace(own, rule=rules.run.rule)
        of[one.split] = own
    return Rules(rules.run, of)
