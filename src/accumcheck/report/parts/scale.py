"""Axes: from values to places on a picture, and the ticks between them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOGARITHMIC_FROM = 6.0
"""If the largest of positive values is this many times the smallest, the axis is logarithmic."""
_MOST_TICKS = 6
_TINY = 1e-3
"""If all values are smaller than this, they are written with an exponent: 5e-05."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place in percent of the length, and its text."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis from ``low`` to ``high``."""

    low: float
    high: float
    logarithmic: bool

    def at(self, value: float) -> float:
        """The place of a value, in percent of the axis; the nearer end if it is outside."""
        low, high, here = (math.log(one) if self.logarithmic else one for one in (self.low, self.high, value))
        return round(100 * min(1.0, max(0.0, (here - low) / (high - low))), 2)

    def ticks(self) -> list[Tick]:
        """Round numbers along the axis, at most six of them."""
        values = _by_ratio(self.low, self.high) if self.logarithmic else []
        if len(values) < 3:
            values = _by_difference(self.low, self.high)
        return [Tick(self.at(value), label) for value, label in values]


def scale_of(values: Iterable[float], *, margin: float = 0.06) -> Scale:
    """An axis for all the values (finite ones), with some margin."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    if low > 0 and (width := math.log(high) - math.log(low)) >= math.log(_LOGARITHMIC_FROM):
        room = math.exp(width * margin)
        least, most = sys.float_info.min, sys.float_info.max
        return Scale(max(low / room, least), min(high * room, most), logarithmic=True)
    # Curves that only differ by noise should look equal: no zoom below a thousandth.
    least = max(abs(high), abs(low)) * 1e-3 or 1.0
    room = max((high - low) * margin, (least - (high - low)) / 2)
    return Scale(low - room, high + room, logarithmic=False)


def ratio_scale(values: Iterable[float]) -> Scale:
    """A logarithmic axis for positive values, which includes 1 with at least a factor of 1.5 to both ends."""
    found = [value for value in values if value > 0]
    return Scale(min([*found, 1.0]) / 1.5, max([*found, 1.0]) * 1.5, logarithmic=True)


def _by_ratio(low: float, high: float) -> list[tuple[float, str]]:
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in values if low <= value <= high]
        if len(inside) <= _MOST_TICKS:
            break
    inside = inside[:: math.ceil(len(inside) / _MOST_TICKS)] if inside else []
    return [(value, f"{value:g}") for value in inside]


def _by_difference(low: float, high: float) -> list[tuple[float, str]]:
    rough = (high - low) / (_MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    decimals = max(0, -math.floor(math.log10(step)))
    first = math.ceil(low / step)
    values = [index * step for index in range(first, math.floor(high / step) + 1)]
    if 0 < (most := max(map(abs, values), default=0.0)) < _TINY:
        digits = math.floor(math.log10(most)) - math.floor(math.log10(step)) + 1
        return [(value, f"{value:.{digits}g}") for value in values]
    return [(value, f"{value:.{decimals}f}" if abs(value) < 1e6 else f"{value:.3g}") for value in values]
