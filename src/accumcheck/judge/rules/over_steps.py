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
    """Explain splits without a formula for all steps by one formula up to a step, and another from that step on.

    Args:
        splits: of ``rules``.
        rules: which hold in all steps.
        fit: fits rules.
    """
    if any(has_short_step(one) for one in splits):
        return rules  # the last step of an epoch is special, and has its own findings
    open_ = [one for one in splits if not rules.of[one.split].found]
    if not open_:
        return rules
    of = dict(rules.of)
    together = _change(open_, fit)
    for one in open_:
        if (change := together or _change([one], fit)) is not None:
            # if the later steps have no formula, keep the name from the samples' weights
            rule = change.in_split(one.split) if change.found else of[one.split].rule
            of[one.split] = replace(change, rule=rule)
    whole = _change(splits, fit)
    run = whole if whole is not None and whole.found else rules.run
    return Rules(run, of)


def _change(splits: Sequence[SplitObservation], fit: FitSteps) -> Fit | None:
    """The rule from the first step on in which the earlier rule no longer holds; None if no rule held before.

    Only if the earlier steps were right, or the later ones have a formula: otherwise it says nothing.
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
        return None  # wrong first and right later is not such a rule, and the same rule is not a change
    if not after.found:
        later = [fit(splits, slice(step - 1, step)) for step in range(since, steps + 1)]
        if earlier.rule != TOKEN_MEAN or any(TOKEN_MEAN in (one.rule, *one.alternatives) for one in later):
            return None
    return replace(after, since=since, earlier=earlier.rule)
