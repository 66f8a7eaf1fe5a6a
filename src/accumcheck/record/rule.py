"""A weighting rule as a value; only this file writes and reads its name.

The names are those of configurations, reports and known faults: ``token-mean``, ``microbatch-mean*k``,
``last-microbatch/n``, ``microbatch-mean*window-geometric(0.5)``, ``dropped-samples``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from accumcheck.record.split import Split

BASES = (
    "token-mean",
    "sample-mean",
    "microbatch-mean",
    "device-mean",
    "unshifted-token-mean",
    "unshifted-device-mean",
)
"""The formulas, in order of preference if several fit."""

WINDOWS = ("last-microbatch", "first-microbatch", "window-geometric", "window-partial")
"""How a weight can depend on the place of its micro-batch in the window, in the order of preference."""

OTHERS = ("dropped-samples", "duplicated-samples", "unsynchronised", "unexplained")
"""The names used if no formula fits; these have no factors."""

_SHAPE = (
    r"(?:last-microbatch|first-microbatch|window-partial|window-geometric(?:\([0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?\))?)"
)
_FACTORS = r"(?:[*/](?:k(?!.*[*/]k)|n(?!.*[*/]n)|b(?!.*[*/]b))(?:\^[0-9]+)?)*"
_BASE = f"(?:{'|'.join(BASES)})"

PATTERN = rf"^(?:(?:{_BASE}(?:\*{_SHAPE})?|{_SHAPE}){_FACTORS}|{'|'.join(OTHERS)})$"
"""The names of all rules, as a regular expression that JSON Schema reads as well."""

_FORMULA = re.compile(rf"(?:({_BASE})(?:\*({_SHAPE}))?|({_SHAPE}))({_FACTORS})")
_FACTOR = re.compile(r"([*/])([knb])(?:\^([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Window:
    """How a weight depends on the place j = 1 .. k of its micro-batch in the window of its process.

    ``ratio``: r of ``window-geometric``: the weight is multiplied by r^(k-j), or, if it ``grows``, by r^(j-1); None
    for any r. ``kept``: the places whose weight is right under ``window-partial``; empty for a run as a whole,
    since they differ by split.
    """

    shape: str
    ratio: float | None = None
    grows: bool = False
    kept: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.shape if self.ratio is None else f"{self.shape}({self.ratio:.3g})"


@dataclass(frozen=True, slots=True)
class Rule:
    """``base * k**k_power * n**n_power * b**b_power``, times the ``window``'s factor, if there is one."""

    base: str
    k_power: int = 0
    n_power: int = 0
    b_power: int = 0
    window: Window | None = None

    def __str__(self) -> str:
        factors = self.factors
        times = "".join(f"*{name}{_exponent(power)}" for name, power in factors if power > 0)
        over = "".join(f"/{name}{_exponent(power)}" for name, power in factors if power < 0)
        return self.unscaled + times + over

    @classmethod
    def parse(cls, name: str) -> Rule:
        """Read a name; factors may be in any order, each once.

        Raises:
            ValueError: it is not the name of a rule.
        """
        if name in OTHERS:
            return cls(name)
        found = _FORMULA.fullmatch(name)
        if found is None:
            raise ValueError(f"{name!r} is not a weighting rule")
        base, late, alone, factors = found.groups()
        powers = dict.fromkeys("knb", 0)
        for sign, letter, power in _FACTOR.findall(factors):
            powers[letter] += int(power or 1) * (1 if sign == "*" else -1)
        return cls(base or BASES[0], powers["k"], powers["n"], powers["b"], _window(late or alone))

    @property
    def factors(self) -> tuple[tuple[str, int], ...]:
        """The factors other than 1, by name, with their powers."""
        named = (("k", self.k_power), ("n", self.n_power), ("b", self.b_power))
        return tuple((name, power) for name, power in named if power)

    @property
    def unscaled(self) -> str:
        """The name without its factors: the base, the window, or both; with a window, ``token-mean`` is left out."""
        if self.window is None:
            return self.base
        return str(self.window) if self.base == BASES[0] else f"{self.base}*{self.window}"

    @property
    def is_formula(self) -> bool:
        """Whether it is a formula for sample weights."""
        return self.base not in OTHERS

    def factor(self, split: Split) -> float:
        """The product of its factors for one split."""
        k, n, b = split.gradient_accumulation_steps, split.replicas, split.per_device_train_batch_size
        return float(k**self.k_power) * float(n**self.n_power) * float(b**self.b_power)

    def within(self, split: Split) -> Rule:
        """A run's rule in one of its splits: without factors that are 1 there, and without a window if k is 1."""
        k, n, b = split.gradient_accumulation_steps, split.replicas, split.per_device_train_batch_size
        return replace(
            self,
            k_power=self.k_power if k > 1 else 0,
            n_power=self.n_power if n > 1 else 0,
            b_power=self.b_power if b > 1 else 0,
            window=self.window if k > 1 else None,
        )

    def matches(self, other: Rule) -> bool:
        """Whether ``other`` matches this name; without a ratio any ratio matches."""
        if self.window is None or other.window is None or self.window.ratio is not None:
            return str(self) == str(other)
        return str(self) == str(replace(other, window=replace(other.window, ratio=None)))


TOKEN_MEAN = Rule("token-mean")
"""The right rule."""

UNEXPLAINED = Rule("unexplained")


def is_rule(name: str) -> bool:
    """Whether this is the name of a weighting rule."""
    try:
        Rule.parse(name)
    except ValueError:
        return False
    return True


def _window(name: str | None) -> Window | None:
    if not name:
        return None
    shape, _, ratio = name.rstrip(")").partition("(")
    return Window(shape, float(ratio) if ratio else None)


def _exponent(power: int) -> str:
    return f"^{abs(power)}" if abs(power) > 1 else ""
