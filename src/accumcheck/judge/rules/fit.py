"""Fitting: the rule that gives every reported loss, or every observed gradient, within tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from accumcheck.judge.rules.family import FAMILY, OF_K_AND_N
from accumcheck.judge.rules.in_window import Hypothesis, WeightedStep, in_window
from accumcheck.judge.rules.step import Array, Step
from accumcheck.record import Split
from accumcheck.record.rule import UNEXPLAINED, Rule


class Weighted(Protocol):
    """The result of the recovery: weights of the members, the residual, and the gradient's norm."""

    @property
    def weights(self) -> Array:
        """``[members]``."""

    @property
    def residual(self) -> float:
        """Relative to the norm."""

    @property
    def norm(self) -> float:
        """Of the observed gradient's kept coordinates."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The rule of a run or a split, and the others that the data cannot distinguish from it.

    ``tail_over_k``: it fits if a step of fewer than ``k`` micro-batches was still divided by ``k``; ``own``: the
    rule in single splits, if that says more than the run's; ``since``: it holds from this step on (from 1),
    and ``earlier`` held before.
    """

    rule: Rule
    alternatives: tuple[Rule, ...] = ()
    tail_over_k: bool = False
    own: Mapping[Split, Rule] = field(default_factory=dict)
    since: int = 1
    earlier: Rule | None = None

    def in_split(self, split: Split) -> Rule:
        """The rule in one split: with one micro-batch there is no place in the window."""
        rule = self.own.get(split, self.rule)
        return replace(rule, window=None) if split.gradient_accumulation_steps == 1 else rule

    @property
    def found(self) -> bool:
        """Whether a formula fits."""
        return self.rule.is_formula


def fit_loss(steps: Sequence[tuple[Step, float]], losses: Array, tolerance: float, rounding: float = 0.0) -> Fit:
    """The rule whose ``sum(w_i l_i)`` equals every reported loss, within ``tolerance`` relative to the prediction.

    Args:
        steps: observed steps, each with the loss that the stack reported.
        losses: mean token loss of every sample, ``[samples]``.
        tolerance: relative.
        rounding: of each reported loss, absolute.
    """
    weights_of = _remembered([step for step, _ in steps])

    def fits(position: int, rule: Rule, tail_over_k: bool) -> bool:
        step, reported = steps[position]
        weights = weights_of(position, rule.base, rule.b_power)
        predicted = step.factor(rule, tail_over_k=tail_over_k) * float(weights @ losses)
        return abs(reported - predicted) <= tolerance * abs(predicted) + rounding

    return _first([step for step, _ in steps], fits)


def fit_gradient(
    steps: Sequence[tuple[Step, Weighted, npt.NDArray[np.float64]]],
    in_weights: float,
    outside: float,
    by_sample: Callable[[int, Array], bool] | None = None,
) -> Fit:
    """The rule whose ``sum(w_i g_i)`` equals every observed gradient.

    An observed gradient is ``sum(w_i g_i)`` of the recovered weights plus an orthogonal residual. Rules differ
    only in the weights, and rounding is mostly in the residual: each has its own tolerance, which
    separates rules that one tolerance wide enough for both would confuse.

    Rules that depend on the place in the window are tried last: each has a number, or a choice of places, that is
    solved for.

    Args:
        steps: observed steps, each with what was recovered and with ``g_i . g_j`` of its members,
            ``[members, members]``.
        in_weights: how far ``sum(w_i g_i)`` may be from the prediction, relative to its norm.
        outside: how large the residual may be, relative to the same.
        by_sample: whether each weight of the step at a position is, by itself, near enough to the predicted ones.
    """
    weights_of = _remembered([step for step, _, _ in steps])

    def is_near(position: int, predicted: Array) -> bool:
        _, found, gram = steps[position]
        off = found.weights - predicted
        whole = float(predicted @ gram @ predicted)
        residual = (found.residual * found.norm) ** 2
        if not (float(off @ gram @ off) <= in_weights**2 * whole and residual <= outside**2 * whole):
            return False
        return by_sample is None or by_sample(position, predicted)

    def fits(position: int, rule: Rule, tail_over_k: bool) -> bool:
        step = steps[position][0]
        factor = step.factor(rule, tail_over_k=tail_over_k)
        return is_near(position, factor * weights_of(position, rule.base, rule.b_power))

    plain = _first([step for step, _, _ in steps], fits)
    if plain.found or plain.tail_over_k:
        return plain
    by_place = in_window([WeightedStep(step, found.weights, gram) for step, found, gram in steps], is_near)
    return _first_of(by_place) if by_place else plain


def _first_of(fitting: Sequence[Hypothesis]) -> Fit:
    first, *others = fitting
    return Fit(first.rule, tuple(other.rule for other in others), own=first.own)


def _remembered(steps: Sequence[Step]) -> Callable[[int, str, int], Array]:
    """`Step.weights` of the step at a position, cached: nine rules share a base."""
    return lru_cache(maxsize=None)(lambda position, base, b_power: steps[position].weights(base, b_power))


def _first(steps: Sequence[Step], fits: Callable[[int, Rule, bool], bool]) -> Fit:
    """The first rule that fits every step, and the others; with a wrong divisor of short steps only if none does."""

    def fitting(rules: Sequence[Rule], tail_over_k: bool) -> list[Rule]:
        return [rule for rule in rules if all(fits(at, rule, tail_over_k) for at in range(len(steps)))]

    has_rows = any(step.fed.size.max(initial=1) > 1 for step in steps)  # else a power of b has no effect
    if found := fitting(FAMILY if has_rows else OF_K_AND_N, False):
        return Fit(found[0], tuple(found[1:]))
    if any(step.window < step.split.gradient_accumulation_steps for step in steps):
        found = fitting(OF_K_AND_N, True)
        if found and found[0].base != "microbatch-mean":
            return Fit(UNEXPLAINED, tail_over_k=True)  # the others have no k by which the tail could be divided
        if found:
            return Fit(found[0], tuple(found[1:]), tail_over_k=True)
    return Fit(UNEXPLAINED)
