"""Whether the numbers that a script printed are those of the finding, or those of another fault."""

from __future__ import annotations

import re
from dataclasses import dataclass

from accumcheck.record import Finding, Split
from accumcheck.record.rule import Rule, is_rule

_RATIO = re.compile(r"\(x ([-\d.einfa]+)\)")
_OFF = re.compile(r"off by ([-\d.einfa]+)")
_WITHIN = 0.02
"""Of a factor; the script prints three digits, and two digits of the gradient's error."""
_NEAR = 1.5
"""Of a factor, where samples weigh differently: the losses of a small random model are nearly alike."""
_MEANS = ("microbatch-mean", "device-mean", "sample-mean")
_OFF_WITHIN = 0.06
_RIGHT = 2e-3


@dataclass(frozen=True, slots=True)
class Expected:
    """The weighting rules of a finding; None: it names none, and any value is fine."""

    loss: Rule | None
    gradient: Rule | None

    @classmethod
    def of(cls, finding: Finding) -> Expected:
        """Those that a finding names."""
        return cls(_rule(finding.loss_rule), _rule(finding.gradient_rule))

    def mismatch(self, output: str, split: Split) -> str:
        """Why what was printed is another fault than the finding's; empty: it is the finding's, as far as it shows.

        A rule that weighs all tokens alike says what loss and gradient come to; a mean of means, about what the loss
        does. Of other rules, only that they are wrong.

        Args:
            output: of the script.
            split: that it ran.
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
    """By how much everything is too large; None: a rule does not say so, since samples weigh differently."""
    if rule is None or rule.base != "token-mean" or (rule.window is not None and split.gradient_accumulation_steps > 1):
        return None
    return rule.factor(split)
