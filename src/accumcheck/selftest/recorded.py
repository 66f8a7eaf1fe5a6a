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
    wanted = "pass" if case.is_clean else f"{case.loss_rule or 'any loss'}, {case.gradient_rule or 'any gradient'}"
    got = f"{report.verdict}, {report.loss_rule}, {report.gradient_rule}"
    reasons = [f"{split.split}: {split.reason}" for split in report.splits if split.reason]
    said = [f"{finding.id} ({', '.join(finding.splits)}): {finding.summary}" for finding in report.findings]
    return [f"wanted {wanted}; got {got}", *_who(outcome), *said, *reasons]


def _who(outcome: Outcome) -> list[str]:
    """The splits that it should have accused but did not."""
    case = outcome.case
    if case.is_clean or outcome.accused:
        return []
    about = f", and a finding {case.finding} that mentions {case.says!r}" if case.says else ""
    return [f"wanted accused: {', '.join(case.accused)}{about}"]
