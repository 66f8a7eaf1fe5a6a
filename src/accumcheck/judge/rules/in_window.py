"""Rules in which a sample's weight depends on the place of its micro-batch in the window.

A hypothesis is a base with its factors and a shape. The free part of a shape is solved from the recovered weights:
the ratio of a geometric one by least squares over the places; the kept places of a partial one by which are nearer
to right than to 0. Then it must fit within tolerance like any other, in every step of every split at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from accumcheck.judge.rules.family import OF_K_AND_N
from accumcheck.judge.rules.step import Array, Step
from accumcheck.judge.rules.windows import WINDOW_ROWS
from accumcheck.record import Split
from accumcheck.record.rule import Rule, Window

IsNear = Callable[[int, Array], bool]
"""Whether the recovered weights of the step at a position are these, within tolerance."""

SMALLEST_RATIO = 1e-3
"""A smaller ratio leaves one micro-batch of a window, which is a separate rule."""

NEAREST_TO_ONE = 0.02
"""A ratio nearer to 1 cannot be distinguished from rounding plus another small fault in 16-bit gradients."""

FEWEST_SAMPLES = 3
"""Number of weights needed to distinguish a ratio, one free number, from two weights that fit by chance."""


@dataclass(frozen=True)
class WeightedStep:
    """One step of one split: the rows fed, the recovered weights, ``[members]``, and ``g_i . g_j`` of the members."""

    step: Step
    weights: Array
    gram: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Hypothesis:
    """A rule that fits, and its form in single splits if that differs."""

    rule: Rule
    own: Mapping[Split, Rule] = field(default_factory=dict)


@dataclass(frozen=True)
class _Places:
    """The places of one step of one split, and the weights of their samples: ``times`` the base's weights.

    All have shape ``[places]``; ``place`` counts from 1, ``window``: number of micro-batches in its window.
    """

    step: Step
    place: npt.NDArray[np.int64]
    window: npt.NDArray[np.int64]
    times: Array


def in_window(steps: Sequence[WeightedStep], is_near: IsNear) -> list[Hypothesis]:
    """The hypotheses that fit every step, the fewest factors first, then in the order of the shapes and of the bases.

    Args:
        steps: observed steps of one split or of several.
        is_near: the tolerance.
    """
    if all(one.step.fed.window.max(initial=1) == 1 for one in steps):
        return []  # every micro-batch has the same place
    shapes = list(WINDOW_ROWS)
    found: list[tuple[tuple[int, int], Hypothesis]] = []
    of_base = {base: [_places(base, one) for one in steps] for base in dict.fromkeys(one.base for one in OF_K_AND_N)}
    solvable = _samples(steps) >= FEWEST_SAMPLES
    for plain in OF_K_AND_N:
        for one in _hypotheses(plain, [_over(places, plain) for places in of_base[plain.base]], solvable=solvable):
            if one.rule.window is not None and _fits(one, steps, is_near):
                found.append(((len(plain.factors), shapes.index(one.rule.window.shape)), one))
    ordered = [one for _, one in sorted(found, key=lambda pair: pair[0])]
    return list({str(one.rule): one for one in reversed(ordered)}.values())[::-1]


def _fits(one: Hypothesis, steps: Sequence[WeightedStep], is_near: IsNear) -> bool:
    return all(is_near(at, of.step.predicted(one.own.get(of.step.split, one.rule))) for at, of in enumerate(steps))


def _hypotheses(plain: Rule, places: Sequence[_Places], *, solvable: bool) -> Iterator[Hypothesis]:
    """The shapes that a plain rule can take, given the weights."""
    place, window, times = (np.concatenate(of) for of in zip(*map(_columns, places), strict=True))
    is_last, is_first = place == window, place == 1
    if _is_roughly(times, is_last.astype(float)):
        yield Hypothesis(replace(plain, window=Window("last-microbatch")))
    if _is_roughly(times, is_first.astype(float)):
        yield Hypothesis(replace(plain, window=Window("first-microbatch")))
    for grows, fixed in ((False, is_last), (True, is_first)) if solvable else ():
        exponents = (place - 1 if grows else window - place).astype(float)
        ratio = _ratio(exponents, times) if _is_roughly(times[fixed], 1.0) else None
        if ratio is not None:
            yield Hypothesis(replace(plain, window=Window("window-geometric", ratio, grows)))
    if kept := _kept(places):
        own = {
            split: replace(plain, window=Window("window-partial", kept=of) if of else None)
            for split, of in kept.items()
        }
        rule = next(iter(own.values())) if len(own) == 1 else replace(plain, window=Window("window-partial"))
        yield Hypothesis(rule, own)


def _samples(steps: Sequence[WeightedStep]) -> int:
    """Number of weights in windows of more than one micro-batch."""
    return sum(int((one.step.fed.window > 1).sum()) for one in steps)


def _places(base: str, one: WeightedStep) -> _Places:
    """The weights by least squares, place by place, if a window has several; samples fed in two places are in both."""
    fed, predicted = one.step.fed, one.step.weights(base)
    members = np.arange(len(one.step.tokens)) if one.step.members is None else np.array(one.step.members)
    rows = []
    for place, window in sorted({*zip(fed.place.tolist(), fed.window.tolist(), strict=True)}):
        chosen = np.flatnonzero(np.isin(members, fed.sample[(fed.place == place) & (fed.window == window)]))
        along = one.gram[np.ix_(chosen, chosen)] @ predicted[chosen]
        norm = float(predicted[chosen] @ along)
        if norm > 0 and window > 1:
            rows.append((place, window, float(one.weights[chosen] @ along) / norm))
    place, window, times = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return _Places(one.step, place.astype(np.int64), window.astype(np.int64), times)


def _over(places: _Places, plain: Rule) -> _Places:
    """The same, relative to the base with these factors."""
    return replace(places, times=places.times / places.step.factor(plain))


def _columns(places: _Places) -> tuple[Array, Array, Array]:
    return places.place.astype(float), places.window.astype(float), places.times


def _is_roughly(times: Array, right: Array | float) -> bool:
    """A quick check before the exact one: no tolerance is as wide as this."""
    return bool((np.abs(times - right) < 0.5).all())


def _ratio(exponents: Array, times: Array) -> float | None:
    """The ``r`` with the least squares of ``times - r^e``, by Gauss-Newton; None if there is none."""
    if not (exponents == 1).any() or not np.isfinite(times).all():
        return None
    ratio = float(times[exponents == 1].mean())
    for _ in range(30):
        if not SMALLEST_RATIO < ratio < 1 / SMALLEST_RATIO:
            return None
        slope = exponents * ratio ** np.maximum(exponents - 1, 0)
        change = float(slope @ (times - ratio**exponents) / (slope @ slope))
        ratio += change
        if abs(change) <= 1e-15 * abs(ratio):
            break
    return ratio if ratio > SMALLEST_RATIO and abs(ratio - 1) > NEAREST_TO_ONE else None


def _kept(places: Sequence[_Places]) -> dict[Split, tuple[int, ...]]:
    """The places of each split's windows whose weight is nearer to the right one than to 0; () if it keeps all places.

    Empty if every split keeps all places, or one split keeps none. A place is judged over all steps of its split.
    """
    of: dict[Split, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in places:
        for place, times in zip(one.place.tolist(), one.times.tolist(), strict=True):
            of[one.step.split][place].append(times)
    kept = {
        split: tuple(place for place, times in sorted(by_place.items()) if sum(times) > 0.5 * len(times))
        for split, by_place in of.items()
    }
    if not all(kept.values()):
        return {}
    partial = {split: mine if len(mine) < len(of[split]) else () for split, mine in kept.items()}
    return partial if any(partial.values()) else {}
