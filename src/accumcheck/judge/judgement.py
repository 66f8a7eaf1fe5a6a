"""The judgement on a run."""

from __future__ import annotations

from dataclasses import dataclass

from accumcheck.record import Accuracy, Finding, ReferenceStep, SplitResult, Tolerances, Verdict


@dataclass(frozen=True)
class Judgement:
    """The judged part of a report."""

    verdict: Verdict
    exit_code: int
    splits: tuple[SplitResult, ...]
    reference: tuple[ReferenceStep, ...]
    tolerances: Tolerances
    loss_rule: str | None
    gradient_rule: str | None
    alternatives: dict[str, list[str]]
    findings: tuple[Finding, ...]
    accuracy: Accuracy = "judged"
    not_tested: tuple[str, ...] = ()
