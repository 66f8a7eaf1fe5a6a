"""Weighting rules: which formula gives the weights, or the loss, that were observed.

A rule is a base times or over ``k`` and ``n``. Each predicts every sample's weight from token counts and from which
samples shared a micro-batch and a process; a rule is named only where its prediction fits within tolerance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from accumcheck.record import MicroBatch, Split

BASES = (
    "token-mean",
    "sample-mean",
    "microbatch-mean",
    "device-mean",
    "unshifted-token-mean",
    "unshifted-device-mean",
)
"""In the order in which they are preferred where several fit."""

UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class Rule:
    """``base * k**k_power * n**n_power``."""

    base: str
    k_power: int = 0
    n_power: int = 0

    def __str__(self) -> str:
        factors = [("k", self.k_power), ("n", self.n_power)]
        times = "".join(f"*{name}" for name, power in factors if power > 0)
        over = "".join(f"/{name}" for name, power in factors if power < 0)
        return self.base + times + over

    def factor(self, split: Split) -> float:
        """The powers of ``k`` and ``n``, worked out for one split."""
        return self.power(split.gradient_accumulation_steps, split.num_processes)

    def power(self, k: int, n: int) -> float:
        """The powers of these ``k`` and ``n``."""
        return float(k**self.k_power * n**self.n_power)


FAMILY = tuple(
    sorted(
        (Rule(base, k, n) for base in BASES for k in (0, 1, -1) for n in (0, 1, -1)),
        key=lambda rule: (abs(rule.k_power) + abs(rule.n_power), BASES.index(rule.base)),
    )
)
"""Every rule, the fewest factors first, then in the order of `BASES`."""


def within(rule: str, split: Split) -> str:
    """What a run's rule comes to in one of its splits: a power of ``k`` is none where ``k`` is 1."""
    for name, value in (("k", split.gradient_accumulation_steps), ("n", split.num_processes)):
        if value == 1:
            rule = rule.replace(f"*{name}", "").replace(f"/{name}", "")
    return rule


@dataclass(frozen=True)
class Step:
    """One observed step, with what is needed to predict it.

    ``micro_batches`` as they were fed; ``tokens`` and ``labels``: predicted tokens and unmasked labels of every sample
    of the workload, ``[samples]``. ``members``: the samples that weights are asked for; None for all.
    """

    split: Split
    micro_batches: tuple[MicroBatch, ...]
    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    members: Sequence[int] | None = None

    @property
    def window(self) -> int:
        """Micro-batches of the busiest process: ``k``, but fewer in the last step of an epoch."""
        return max(Counter(batch.process for batch in self.micro_batches).values(), default=1)

    def factor(self, rule: Rule, *, tail_over_k: bool = False) -> float:
        """The rule's powers of ``n`` and of the micro-batches that there were.

        ``tail_over_k``: a step of fewer than ``k`` of them was divided by ``k``.
        """
        over = self.window / self.split.gradient_accumulation_steps if tail_over_k else 1.0
        return over * rule.power(self.window, self.split.num_processes)

    def weights(self, base: str) -> npt.NDArray[np.float64]:
        """The weight of every sample under this base, ``[samples]`` or ``[members]``."""
        fed = [(batch.process, [index for index in batch.samples if index >= 0]) for batch in self.micro_batches]
        n, k = self.split.num_processes, self.window
        counts = self.labels if base.startswith("unshifted") else self.tokens
        total, of_process = 0, dict.fromkeys((process for process, _ in fed), 0)
        for process, members in fed:
            seen = int(counts[members].sum())
            total, of_process[process] = total + seen, of_process[process] + seen
        rows = sum(len(members) for _, members in fed)
        weights = np.zeros(len(self.tokens))
        for process, members in fed:
            if base == "sample-mean":
                share = np.full(len(members), 1.0 / max(rows, 1))
            else:
                if base == "microbatch-mean":
                    divisor = int(self.tokens[members].sum()) * k * n
                elif base.endswith("device-mean"):
                    divisor = n * of_process[process]
                else:
                    divisor = total
                share = self.tokens[members] / max(divisor, 1)
            np.add.at(weights, members, share)
        return weights if self.members is None else weights[list(self.members)]


class Weighted(Protocol):
    """What the recovery found: weights of the members, the residual it left, and the gradient's norm."""

    @property
    def weights(self) -> npt.NDArray[np.float64]:
        """``[members]``."""

    @property
    def residual(self) -> float:
        """Relative to the norm."""

    @property
    def norm(self) -> float:
        """Of the observed gradient's kept coordinates."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The rule of a run or a split, and the others that the data cannot tell from it.

    ``tail_over_k``: it fits if a step of fewer than ``k`` micro-batches was divided by ``k`` all the same.
    """

    rule: str
    alternatives: tuple[str, ...] = ()
    tail_over_k: bool = False


def fit_loss(steps: Sequence[tuple[Step, float]], losses: npt.NDArray[np.float64], tolerance: float) -> Fit:
    """The rule whose ``sum(w_i l_i)`` is every reported loss, within ``tolerance`` relative to the prediction.

    Args:
        steps: observed steps, each with the loss that the stack reported.
        losses: mean token loss of every sample, ``[samples]``.
        tolerance: relative.
    """
    weights_of = _remembered([step for step, _ in steps])

    def fits(position: int, rule: Rule, tail_over_k: bool) -> bool:
        step, reported = steps[position]
        predicted = step.factor(rule, tail_over_k=tail_over_k) * float(weights_of(position, rule.base) @ losses)
        return abs(reported - predicted) <= tolerance * abs(predicted)

    return _first([step for step, _ in steps], fits)


def fit_gradient(
    steps: Sequence[tuple[Step, Weighted, npt.NDArray[np.float64]]], in_weights: float, beside: float
) -> Fit:
    """The rule whose ``sum(w_i g_i)`` is every observed gradient.

    An observed gradient is ``sum(w_i g_i)`` of the recovered weights and a residual at right angles to it. Rules differ
    in the weights only, and rounding is mostly in the residual: each has a tolerance of its own, so that rules are told
    apart that a tolerance wide enough for both would take for one.

    Args:
        steps: observed steps, each with what was recovered and with ``g_i . g_j`` of its members,
            ``[members, members]``.
        in_weights: how far ``sum(w_i g_i)`` may be from the prediction, relative to its norm.
        beside: how large the residual may be, relative to the same.
    """
    weights_of = _remembered([step for step, _, _ in steps])

    def fits(position: int, rule: Rule, tail_over_k: bool) -> bool:
        step, found, gram = steps[position]
        predicted = step.factor(rule, tail_over_k=tail_over_k) * weights_of(position, rule.base)
        off = found.weights - predicted
        whole = float(predicted @ gram @ predicted)
        residual = (found.residual * found.norm) ** 2
        return float(off @ gram @ off) <= in_weights**2 * whole and residual <= beside**2 * whole

    return _first([step for step, _, _ in steps], fits)


def _remembered(steps: Sequence[Step]) -> Callable[[int, str], npt.NDArray[np.float64]]:
    """`Step.weights` of the step at a position: nine rules share a base."""
    return lru_cache(maxsize=None)(lambda position, base: steps[position].weights(base))


def _first(steps: Sequence[Step], fits: Callable[[int, Rule, bool], bool]) -> Fit:
    """The first rule that fits every step, and the others; with a wrong divisor of short steps only if none does."""
    short = any(step.window < step.split.gradient_accumulation_steps for step in steps)
    for tail_over_k in (False, True) if short else (False,):
        fitting = [rule for rule in FAMILY if all(fits(at, rule, tail_over_k) for at in range(len(steps)))]
        if fitting and tail_over_k and fitting[0].base != "microbatch-mean":
            return Fit(UNEXPLAINED, tail_over_k=True)  # the others have no k that the tail could be divided by
        if fitting:
            return Fit(str(fitting[0]), tuple(str(rule) for rule in fitting[1:]), tail_over_k)
    return Fit(UNEXPLAINED)
