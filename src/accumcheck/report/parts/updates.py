"""What the optimizers did with the gradient: a line for each split in which that is wrong, and as a test case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.record.update_findings import UPDATE_FINDINGS
from accumcheck.report import numbers
from accumcheck.report.blocks import Fact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.record import Finding, Report, SplitResult, Verdict
    from accumcheck.record.reported import UpdateRecord

_SAME = 1e-6
"""Learning rates are computed in double precision, and coefficients from norms that are compared by themselves."""
_STEPS = 6
"""Steps whose numbers are shown at most."""


def update_lines(report: Report) -> tuple[Fact, ...]:
    """One line for each split whose update a finding is about; nothing where none is."""
    return tuple(
        Fact(f"update {split.split}", update_words(split, report))
        for split in report.splits
        if findings_of_update(split, report)
    )


def findings_of_update(split: SplitResult, report: Report) -> list[Finding]:
    """Those about the split's updates, the worst first."""
    order = ("fail", "error", "warn", "ignore")
    found = [one for one in report.findings if one.id in UPDATE_FINDINGS and str(split.split) in one.splits]
    return sorted(found, key=lambda one: order.index(one.severity))


def update_verdict(split: SplitResult, report: Report) -> Verdict | None:
    """The verdict of the update only; None if no update was seen."""
    found = findings_of_update(split, report)
    if found:
        severity = found[0].severity
        return "pass" if severity == "ignore" else severity
    return "pass" if split.updates else None


def update_words(split: SplitResult, report: Report) -> str:
    """A split's learning rates, clipping and weight changes by step, with the control's values if they differ."""
    control = next((one for one in report.splits if one.is_control), None)
    others = () if control is None or split.is_control else control.updates
    values = {"learning rate": _rate, "clipped to": _clip, "weight change": _norm}
    parts = [_beside(name, [*map(of, split.updates)], [*map(of, others)]) for name, of in values.items()]
    if control is not None and len(split.steps) != len(control.steps):
        parts.insert(0, f"{len(split.steps)} optimizer steps (control {len(control.steps)})")
    ids = list(dict.fromkeys(one.id for one in findings_of_update(split, report)))
    return "; ".join(filter(None, [", ".join(ids), *parts]))


def _rate(update: UpdateRecord) -> float | None:
    return update.learning_rates[0] if update.learning_rates else None


def _clip(update: UpdateRecord) -> float | None:
    return update.clip_coefficient


def _norm(update: UpdateRecord) -> float | None:
    return None if update.weight_change is None else update.weight_change.norm


def _beside(name: str, mine: Sequence[float | None], due: Sequence[float | None]) -> str:
    """``learning rate 0, 2e-05 (control 1e-05, 5e-06)``; without the control's where they are the same."""
    if all(value is None for value in mine):
        return ""
    differs = bool(due) and any(_differ(one, other) for one, other in zip(mine, due, strict=False))
    return f"{name} {_shown(mine)}" + (f" (control {_shown(due)})" if differs else "")


def _differ(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return not abs(one - other) <= _SAME * max(abs(one), abs(other))


def _shown(values: Sequence[float | None]) -> str:
    texts = [numbers.MISSING if value is None else f"{value:.4g}" for value in values[:_STEPS]]
    return ", ".join(texts) + (", ..." if len(values) > _STEPS else "")
