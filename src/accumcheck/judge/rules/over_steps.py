"""Rules that hold from a step on: a counter that is never reset, a gradient that is never cleared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from accumcheck.judge.measure.epochs import has_short_step
from accumcheck.judge.rules.explain import Rules
from accumcheck.judge.rules.fit import Fit
from accumcheck.record import SplitObservation
from accumcheck.record.rule import TOKEN_MEAN


class FitSteps(Protocol):
    """Fits some steps of some splits."""

    def __call__(self, splits: Sequence[SplitObservation], steps: slice = ...) -> Fit:
        """The rule that gives all of them."""


def from_a_step(splits: Sequence[SplitObservation], rules: Rules, fit: FitSteps) -> Rules:
    """Explain splits that no formula explains in all steps by one that holds first, and another from a step on.

    Args:
        splits: those that ``rules`` is of.
        rules: what holds in all steps.
        fit: how rules are fitted.
    """
    if any(has_short_step(one) for one in splits):
        return rules  # the end of an epoch is a step of its own kind, and has findings of its own
    open_ = [one for one in splits if not rules.of[one.split].found]
    if not open_:
        return rules
    of = dict(rules.of)
    together = _change(open_, fit)
    for one in open_:
        if (change := together or _change([one], fit)) is not None:
            # where what follows has no formula, the name that the samples' weights give is kept
            rule = change.in_split(one.split) if change.found else of[one.split].rule
            of[one.split] = replace(change, rule=rule)
    whole = _change(splits, fit)
    run = whole if whole is not None and whole.found else rules.run
    return Rules(run, of)


def _change(splits: Sequence[SplitObservation], fit: FitSteps) -> Fit | None:
    """What holds from the step on in which what held before no longer does; None where nothing held before.

    Before it everything was right, or what follows has a formula: else nothing is learned.
    """
    steps = min(len(one.steps) for one in splits)
    earlier: Fit | None = None
    for first in range(1, steps):
        before = fit(splits, slice(0, first))
        if not before.found or before.rule.window is not None:
            break
        earlier, since = before, first + 1
    if earlier is None:
        return None
    after = fit(splits, slice(since - 1, None))
    if after.rule in (TOKEN_MEAN, earlier.rule):
        return None  # what was wrong at first and is right since is no rule, and what stays as it was no change
    if not after.found:
        later = [fit(splits, slice(step - 1, step)) for step in range(since, steps + 1)]
        if earlier.rule != TOKEN_MEAN or any(TOKEN_MEAN in (one.rule, *one.alternatives) for one in later):
            return None
    return replace(after, since=since, earlier=earlier.rule)
