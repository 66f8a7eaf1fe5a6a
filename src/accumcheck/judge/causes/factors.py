"""The factor by which a stack multiplied the model's losses before it differentiated or logged them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from accumcheck.judge.causes.token_counts import counts_of
from accumcheck.judge.rules.bases import BASE_ROWS, SHARES
from accumcheck.record import ReferenceObservation, Split, SplitObservation
from accumcheck.record.rule import Rule

CLOSE = (1e-5, 1e-2)
"""Relative tolerance between a measured factor and a formula: first for float32, then for bfloat16."""

_POWERS = ((0, 0), (-1, 0), (0, 1), (-1, 1), (0, -1), (1, 0), (1, 1), (-1, -1))
"""Powers of (k, n) that a stack may multiply by, the likely ones first: if k = n, the first that fits is named."""


@dataclass(frozen=True, slots=True)
class Factor:
    """Powers of ``k`` and ``n``, times each micro-batch's share of the count named by ``share``, if there is one."""

    k_power: int
    n_power: int
    share: str | None = None

    @property
    def words(self) -> str:
        """The powers: ``1``, ``1/k``, ``n``, ``n/k``, ``1/(k n)``, ``n^2`` ..."""
        powers = (("k", self.k_power), ("n", self.n_power))
        above, below = (
            [name if power == sign else f"{name}^{abs(power)}" for name, power in powers if power * sign > 0]
            for sign in (1, -1)
        )
        over = f"({' '.join(below)})" if len(below) > 1 else "".join(below)
        return (" ".join(above) or "1") + (f"/{over}" if over else "")

    def makes(self, rule: Rule, due: Factor, splits: Sequence[Split]) -> bool:
        """Whether this gives the rule in all these splits, if ``due`` would give its base."""
        made = replace(rule, k_power=self.k_power - due.k_power, n_power=self.n_power - due.n_power)
        return all(math.isclose(made.factor(split), rule.factor(split)) for split in splits)

    @classmethod
    def making(cls, rule: Rule, due: Factor) -> Factor:
        """The factor that gives the rule in every split; it decides if numbers could mean both k and n."""
        return cls(rule.k_power + due.k_power, rule.n_power + due.n_power)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A number, and what its formula can depend on: the split, and for each base the micro-batch's share of a count."""

    split: Split
    number: float | None
    shares: dict[str | None, float]


def differentiated(splits: Sequence[SplitObservation], reference: ReferenceObservation) -> Factor | None:
    """The factor on losses before they were differentiated; None if it was not seen or no formula fits."""
    measured = []
    for split in splits:
        for step in split.steps:
            of = counts_of(step, reference)
            for batch in step.micro_batches:
                known = [sample for sample in batch.samples if sample >= 0]
                tokens = int(reference.tokens[known].sum())
                shares: dict[str | None, float] = {
                    base: tokens / max(of.count(BASE_ROWS[base], batch.process), 1) for base in SHARES
                }
                measured.append(_Measured(split.split, batch.factor, {None: 1.0, **shares}))
    return _fitting(measured, (None, *SHARES))


def logged(splits: Sequence[SplitObservation]) -> Factor | None:
    """The factor on losses before they were logged: summed in a step, and averaged over processes."""
    measured = []
    for split in splits:
        for step in split.steps:
            returned = [batch.loss for batch in step.micro_batches]
            known = [loss for loss in returned if loss is not None]
            total = sum(known) / split.split.replicas
            whole = len(known) == len(returned) and step.loss is not None and total != 0
            number = step.loss / total if whole and step.loss is not None else None
            measured.append(_Measured(split.split, number, {None: 1.0}))
    return _fitting(measured, (None,))


def _fitting(measured: Sequence[_Measured], shares: Iterable[str | None]) -> Factor | None:
    """The first factor that gives every number, at the tightest tolerance at which any does."""
    if not measured or any(one.number is None or not math.isfinite(one.number) for one in measured):
        return None
    candidates = [Factor(k, n, share) for share in shares for k, n in _POWERS]
    return next(
        (factor for close in CLOSE for factor in candidates if all(_is(one, factor, close) for one in measured)), None
    )


def _is(one: _Measured, factor: Factor, close: float) -> bool:
    expected = Rule("", factor.k_power, factor.n_power).factor(one.split) * one.shares[factor.share]
    return one.number is not None and abs(one.number - expected) <= close * expected
