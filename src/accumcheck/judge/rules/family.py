"""Every rule without a free number, in order of preference."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from accumcheck.record.rule import BASES, Rule

POWERS = (0, 1, -1)


def _ordered(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: (len(rule.factors), BASES.index(rule.base))))


OF_K_AND_N = _ordered(Rule(base, k, n) for base, k, n in product(BASES, POWERS, POWERS))
"""The rules found in published stacks: powers of ``k`` and ``n``, the fewest factors first."""

OF_B = _ordered(Rule(base, k, n, b) for b, base, k, n in product((1, -1), BASES, POWERS, POWERS))
"""The same, times or divided by the rows of the micro-batch."""

FAMILY = (*OF_K_AND_N, *OF_B)
"""Every rule of a base and factors, in order of preference: a power of ``b`` only if none of the rest fits."""
