"""How samples were weighted in the run as a whole, and the tolerances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.record.rule import Rule, is_rule
from accumcheck.report import numbers
from accumcheck.report.parts.phrases import few

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Divergence, Report, Split, Tolerances

_PER_DEVICE = ("device-mean", "unshifted-device-mean")


def measures(report: Report) -> list[tuple[str, str]]:
    """How the samples were weighted in the run as a whole, the tolerances, and the noise floor.

    Returns:
        Pairs of a label and a text.
    """
    found = _hotfixed(report)
    if report.loss_rule or report.gradient_rule:
        rules = f"loss {report.loss_rule or 'no rule'}, gradient {report.gradient_rule or 'no rule'}"
        found.append(("weighting", rules + _also_fit(report)))
    if report.tolerances is not None:
        found.append(("tolerance", _three(report.tolerances)))
        floor = report.tolerances.noise_floor
        found.append(("noise floor", "not measured" if _is_unknown(floor) else f"{_three(floor)} (measured)"))
    if report.not_tested:
        found.append(("not tested", f"{few(report.not_tested)} (the true gradient is exactly zero)"))
    return found


def _also_fit(report: Report) -> str:
    """Which other rules also fit; the loss often does not distinguish rules that the gradient does."""
    of = {name: _distinct(rules, report) for name, rules in report.alternatives.items()}
    loss, gradient = of.get("loss", []), of.get("gradient", [])
    if loss == gradient:
        return f" (also fits: {few(loss)})" if loss else ""
    parts = [f"{name} {few(rules)}" for name, rules in (("loss", loss), ("gradient", gradient)) if rules]
    return f" (also fits: {'; '.join(parts)})"


def _distinct(names: Sequence[str], report: Report) -> list[str]:
    """The rules without duplicates: if n is 1 in every split, ``*n`` changes nothing."""
    splits = [split.split for split in report.splits]
    return [name for name in names if not is_rule(name) or _is_distinct(Rule.parse(name), splits)]


def _is_distinct(rule: Rule, splits: Sequence[Split]) -> bool:
    """Whether every part of the rule's name has an effect in some split."""
    seen = [rule.within(split) for split in splits]
    powers = ("k_power", "n_power", "b_power", "window")
    if any(getattr(rule, power) and not any(getattr(one, power) for one in seen) for power in powers):
        return False
    return rule.base not in _PER_DEVICE or any(split.replicas > 1 for split in splits)


def _hotfixed(report: Report) -> list[tuple[str, str]]:
    """The effect of a hot-fix on the verdict and on the weighting, and its cost."""
    if (before := report.before) is None:
        return []
    changes = [
        f"{what} {old or 'no rule'} -> {new or 'no rule'}"
        for what, old, new in (
            ("loss", before.loss_rule, report.loss_rule),
            ("gradient", before.gradient_rule, report.gradient_rule),
        )
    ]
    return [
        ("hot-fix", f"{before.hotfix}: {before.verdict} -> {report.verdict}; {', '.join(changes)}"),
        ("cost", before.price),
    ]


def _is_unknown(values: Divergence) -> bool:
    return all(value is None for value in (values.loss, values.grad_norm, values.gradient))


def _three(values: Divergence | Tolerances) -> str:
    loss, norm, gradient = (numbers.difference(value) for value in (values.loss, values.grad_norm, values.gradient))
    weights = "" if values.weights is None else f", weights {numbers.difference(values.weights)}"
    return f"loss {loss}, grad norm {norm}, gradient {gradient}{weights}"
