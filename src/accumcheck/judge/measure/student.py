"""Student's t distribution: how often an error that was measured on few numbers is larger than so many times itself."""

from __future__ import annotations

import math

_STEPS = 200
"""Halvings of the interval in which a quantile is looked for: more than a float64 has digits."""


def beyond(times: float, degrees: int) -> float:
    """The probability that ``|t| > times``.

    The sums are those of Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4. It is known to
    about 1e-15, absolute.

    Args:
        times: not negative.
        degrees: of freedom, at least 1.
    """
    angle = math.atan2(times, math.sqrt(degrees))
    cosine = math.cos(angle)
    if degrees == 1:
        return 1 - 2 * angle / math.pi
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term
    for power in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (power - 1) / power
        total += term
    within = math.sin(angle) * total
    return 1 - (2 / math.pi * (angle + within) if odd else within)


def quantile(probability: float, degrees: int) -> float:
    """The number of standard errors that ``|t|`` exceeds with this probability.

    Args:
        probability: between 1e-12 and 1.
        degrees: of freedom, at least 1.
    """
    low, high = 0.0, 1.0
    while beyond(high, degrees) > probability:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if beyond(middle, degrees) > probability else (low, middle)
    return high
