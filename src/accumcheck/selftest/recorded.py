"""The record of an outcome, for output and files: without the case's check and the full report."""

from __future__ import annotations

from accumcheck.record.selftest import SelftestCase
from accumcheck.selftest.run import Outcome


def recorded(outcome: Outcome) -> SelftestCase:
    """The outcome, and why the case failed, if it did."""
    case, report = outcome.case, outcome.report
    return SelftestCase(
        case=case.name,
        clean=case.is_clean,
        verdict=report.verdict,
        loss_rule=report.loss_rule,
        gradient_rule=report.gradient_rule,
        findings=tuple(finding.id for finding in report.findings),
        caught=outcome.caught,
        named=outcome.named,
        accused=outcome.accused,
        held=outcome.is_as_expected,
        duration_seconds=report.duration_seconds,
        expected_finding=case.finding,
        why=() if outcome.is_as_expected else tuple(_why(outcome)),
        started_at=report.started_at,
    )


def _why(outcome: Outcome) -> list[str]:
    """What was expected, what was found, and why splits did not run."""
    case, report = outcome.case, outcome.report
    found = f"{report.verdict}, {_rules(report.loss_rule, report.gradient_rule, 'no rule')}"
    expected = "pass" if case.is_clean else _rules(case.loss_rule, case.gradient_rule, "any rule")
    reasons = [f"{split.split}: {split.reason}" for split in report.splits if split.reason]
    said = [f"{finding.id} ({', '.join(finding.splits)}): {finding.summary}" for finding in report.findings]
    return [f"found {found}; expected {expected}", *_who(outcome), *said, *reasons]


def _rules(loss: str | None, gradient: str | None, none: str) -> str:
    return f"loss {loss or none}, gradient {gradient or none}"


def _who(outcome: Outcome) -> list[str]:
    """The splits that it should have accused but did not."""
    case = outcome.case
    if case.is_clean or outcome.accused:
        return []
    about = f", and a finding {case.finding} that mentions {case.says!r}" if case.says else ""
    return [f"expected exactly these splits to be found wrong: {', '.join(case.accused)}{about}"]
