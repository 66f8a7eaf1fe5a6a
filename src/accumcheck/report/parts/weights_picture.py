"""The recovered weight of every sample, split by split, in percent of a strip's width and height."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.parts.scale import Scale, Tick, ratio_scale

if TYPE_CHECKING:
    from accumcheck.record import Report, SampleWeights, SplitResult

_MOST_DOTS = 600
_NOTHING = 1e-5
"""A weight smaller than this part of the largest counts as 0 plus rounding."""
_NONE = 3.0
"""The place of weights of 0 or less, in percent: left of the logarithmic axis."""
_AXIS = 9.0
"""The start of the axis, if there is such a weight."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The axis of all strips; ``start``: how much of the width it leaves free, in percent."""

    scale: Scale
    start: float

    def at(self, value: float) -> float:
        """The place of a weight, in percent of the strip's width."""
        return self.shifted(self.scale.at(value)) if value > 0 else _NONE

    def shifted(self, along: float) -> float:
        """A place along the axis, in percent of the strip's width."""
        return round(self.start + along * (100 - self.start) / 100, 2)


@dataclass(frozen=True, slots=True)
class Strip:
    """One split.

    ``dots`` is an SVG path of a dot per sample, the first at the top; ``bar`` goes from the smallest weight to the
    largest, if the single ones are not known; ``scale`` is the place of their common factor. Both are None if no
    weights were recovered.
    """

    name: str
    tone: str
    dots: str
    bar: tuple[float, float] | None
    scale: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All strips on one axis; ``right``: the place of a weight of 1, ``none``: that of 0, if there is one."""

    ticks: tuple[Tick, ...]
    right: float
    none: float | None
    strips: tuple[Strip, ...]
    single: bool


def weights_picture(report: Report) -> Picture | None:
    """The picture, or None if no split's weights were recovered."""
    ran = [(split, _finite(split.sample_weights)) for split in report.splits if split.steps]
    known = [weights for _, weights in ran if weights is not None]
    if not known:
        return None
    values = [value for weights in known for value in _range(weights)]
    axis = Axis(ratio_scale(values), start=_AXIS if min(values) <= 0 else 0.0)
    return Picture(
        ticks=tuple(Tick(axis.shifted(tick.at), tick.label) for tick in axis.scale.ticks()),
        right=axis.at(1.0),
        none=_NONE if axis.start else None,
        strips=tuple(_strip(split, weights, axis) for split, weights in ran),
        single=any(weights.values for weights in known),
    )


def _finite(weights: SampleWeights | None) -> SampleWeights | None:
    """The weights, None if one is not finite; those that are only rounding become 0."""
    if weights is None or not all(map(math.isfinite, _range(weights))):
        return None
    least = _NOTHING * max(map(abs, _range(weights)))
    values = tuple(value if abs(value) > least else 0.0 for value in weights.values)
    return replace(weights, values=values, min=weights.min if abs(weights.min) > least else 0.0)


def _strip(split: SplitResult, weights: SampleWeights | None, axis: Axis) -> Strip:
    if weights is None:
        return Strip(str(split.split), split.verdict, "", None, None, "weights could not be recovered")
    low, high, *_ = _range(weights)
    words = f"scale {numbers.scale(weights.scale)}, {numbers.spread(low, high)}"
    words += f", {len(weights.dropped)} dropped" if weights.dropped else ""
    words += f", {len(weights.duplicated)} duplicated" if weights.duplicated else ""
    return Strip(
        name=str(split.split),
        tone=split.verdict,
        dots=_dots(weights, axis),
        bar=(axis.at(low), axis.at(high)),
        scale=axis.at(weights.scale),
        words=words,
    )


def _dots(weights: SampleWeights, axis: Axis) -> str:
    values = weights.values
    chosen = range(0, len(values), math.ceil(len(values) / _MOST_DOTS) or 1)
    last = max(1, len(values) - 1)
    return "".join(f"M{axis.at(values[index]):g} {10 + 80 * index / last:.4g}h0" for index in chosen)


def _range(weights: SampleWeights) -> tuple[float, ...]:
    return (weights.min, weights.max, weights.scale, *weights.values)
