"""Check whether the numbers that a script printed are those of the finding or of another fault."""

from __future__ import annotations

import re
from dataclasses import dataclass

from accumcheck.record import Finding, Split
from accumcheck.record.rule import Rule, is_rule

_RATIO = re.compile(r"\(x ([-\d.einfa]+)\)")
_OFF = re.compile(r"off by ([-\d.einfa]+)")
_WITHIN = 0.02
"""The tolerance for a factor: the script prints three digits, and two digits of the gradient's error."""
_NEAR = 1.5
"""The largest ratio of two factors if samples are weighted differently: a random model has nearly equal losses."""
_MEANS = ("microbatch-mean", "device-mean", "sample-mean")
_OFF_WITHIN = 0.06
_RIGHT = 2e-3


@dataclass(frozen=True, slots=True)
class Expected:
    """The weighting rules of a finding; None: it names no rule, so any value is accepted."""

    loss: Rule | None
    gradient: Rule | None

    @classmethod
    def of(cls, finding: Finding) -> Expected:
        """The rules that a finding names."""
        return cls(_rule(finding.loss_rule), _rule(finding.gradient_rule))

    def mismatch(self, output: str, split: Split) -> str:
        """Why the output shows another fault than the finding; empty if it shows the finding, as far as known.

        If a rule weights all tokens equally, it determines the loss and the gradient. A mean of means determines
        roughly the loss. Other rules only determine that they are wrong.

        Args:
            output: the output of the script.
            split: the split that it ran.
        """
        ratio, off = (found and float(found[1]) for found in (_RATIO.search(output), _OFF.search(output)))
        factor = _factor(self.loss, split)
        if ratio is not None and factor is not None and abs(ratio - factor) > _WITHIN * factor:
            return f"another fault: the loss should be {factor:g} times the right one"
        factor = _about(self.loss, split)
        if ratio is not None and factor is not None and not factor / _NEAR < ratio < factor * _NEAR:
            return f"another fault: the loss should be about {factor:g} times the right one"
        factor = _factor(self.gradient, split)
        if off is None or self.gradient is None:
            return ""
        if factor is None:
            return "" if off > _RIGHT else "another fault: the gradient should be wrong"
        expected = abs(factor - 1)
        if abs(off - expected) > max(_RIGHT, _OFF_WITHIN * expected):
            return f"another fault: the gradient should be off by {expected:g}"
        return ""


def _about(rule: Rule | None, split: Split) -> float | None:
    """By how much a loss is about too large where samples weigh differently; None: a rule does not say so."""
    if rule is None or rule.base not in _MEANS or (rule.window is not None and split.gradient_accumulation_steps > 1):
        return None
    return rule.factor(split)


def _rule(name: str | None) -> Rule | None:
    return Rule.parse(name) if name and is_rule(name) else None


def _factor(rule: Rule | None, split: Split) -> float | None:
    """The factor by which everything is too large; None if samples have different weights under the rule."""
    if rule is None or rule.base != "token-mean" or (rule.window is not None and split.gradient_accumulation_steps > 1):
        return None
    return rule.factor(split)
