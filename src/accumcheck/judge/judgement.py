"""What a run is judged to be."""

from __future__ import annotations

from dataclasses import dataclass

from accumcheck.record import Accuracy, Finding, ReferenceStep, SplitResult, Tolerances, Verdict


@dataclass(frozen=True)
class Judgement:
    """All of a report that is judged."""

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
