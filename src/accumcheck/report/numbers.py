"""Numbers in a readable form: ratios if they are large, powers of ten if they are small."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MISSING = "-"
LARGE = 0.01
"""From this relative difference on, a ratio (``x 2.00``) says more than the difference itself."""


def is_bad(value: float | None) -> bool:
    """Whether a required value is missing or not finite."""
    return value is None or not math.isfinite(value)


def worst(values: Iterable[float | None]) -> float | None:
    """The value furthest from zero; NaN takes precedence, then a missing value: neither may look equal."""
    found = list(values)
    if any(value is not None and math.isnan(value) for value in found):
        return math.nan
    if not found or any(value is None for value in found):
        return None
    return max((value for value in found if value is not None), key=abs)


def difference(value: float | None) -> str:
    """A relative difference: ``1.2e-07``, ``0.25``, ``31.0``."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    if abs(value) < LARGE or abs(value) >= 10_000:
        return f"{value:.1e}"
    return three_digits(value)


def ratio(value: float | None, to: float | None, relative: float | None) -> str:
    """``value`` compared with ``to``: ``x 2.00`` if their ``relative`` difference is large, else that difference."""
    if is_bad(relative) or relative is None or abs(relative) < LARGE:
        return difference(relative)
    if value is None or not to or is_bad(value) or is_bad(to):
        return difference(relative)
    times = value / to
    if not 0.001 <= abs(times) < 10_000:
        return f"x {times:.1e}"
    digits = 2 if abs(times) < 100 else 1 if abs(times) < 1000 else 0
    return f"x {times:.{digits}f}"


def three_digits(value: float) -> str:
    """Three significant digits, without an exponent if that is short: ``0.738``, ``1.25``, ``10.0``, ``1253``."""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 100_000:
        return f"{value:.1e}"
    if abs(value) < 0.995:
        return f"{round(value, 2) + 0.0:.2f}"  # never -0.00
    return f"{value:#.3g}".rstrip(".") if abs(value) < 999.5 else f"{value:.0f}"


def spread(low: float, high: float) -> str:
    """A range of sample weights, relative to the ideal: ``0.74..1.25``."""
    return f"{three_digits(low)}..{three_digits(high)}"


def scale(value: float) -> str:
    """The common factor of all sample weights, 1 = right: ``1.00``, ``31.96``."""
    return f"{round(value, 2) + 0.0:.2f}" if abs(value) < 100 else three_digits(value)


def aligned(values: Sequence[float | None]) -> list[str]:
    """One column of numbers with aligned decimal points, so that a larger number stands out.

    The smallest number gets four significant digits; if the largest would be too wide, each is formatted separately.
    """
    finite = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    decimals = min(6, max(0, 3 - math.floor(math.log10(min(finite))))) if finite else 1
    if finite and len(f"{max(finite):.{decimals}f}") > 8:
        return [MISSING if value is None else f"{value:#.5g}".rstrip(".") for value in values]
    return [MISSING if value is None else f"{value:.{decimals}f}" for value in values]


def count(value: int) -> str:
    """A number of parameters: ``84,320``, ``1.24M``, ``7.06B``."""
    for size, letter in ((1_000_000_000, "B"), (1_000_000, "M")):
        if value >= size:
            return f"{value / size:.2f}{letter}"
    return f"{value:,}"


def seconds(value: float) -> str:
    """A duration: ``3.2 s``, ``41 s``, ``12 min 5 s``, ``2 h 3 min``."""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
