"""Turn the check of one class into its line of the survey."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.record import Reason, ReasonKind, Report
from accumcheck.record.survey import NOT_CHECKED, ClassVerdict, NotCheckedKind, SurveyedClass
from accumcheck.survey.asked import Head, config_of

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig

_KINDS: dict[ReasonKind, NotCheckedKind] = {
    "unsupported": "unsupported",
    "missing-package": "missing-package",
    "not-enough-devices": "unsupported",
    "crashed": "crashed",
    "hung": "hung",
    "out-of-memory": "out-of-memory",
    "refused": "unsupported",
}
"""The survey's kinds of reasons. There are fewer than for a split."""
TEXT_ALONE = "checked on text only: no synthetic images or sounds can be made for it"
_VERDICTS: dict[str, ClassVerdict] = {"pass": "pass", "warn": "warn", "fail": "fail"}


def class_of(head: Head, report: Report, check: CheckConfig, seconds: float) -> SurveyedClass:
    """The result of the check of a class. The class counts as not checked if the check could not be decided.

    A check fails if it fails under one split, even if another split could not be decided.
    """
    verdict = _VERDICTS.get(report.verdict, NOT_CHECKED)
    reason = _why_undecided(report) if verdict == NOT_CHECKED else None
    return SurveyedClass(
        name=head.name,
        model_type=head.model_type,
        task=head.task,
        verdict=verdict,
        loss_rule=report.loss_rule if reason is None else None,
        gradient_rule=report.gradient_rule if reason is None else None,
        reason_kind=None if reason is None else _KINDS[reason.kind],
        reason="" if reason is None else reason.text,
        duration_seconds=seconds,
        findings=report.findings,
        config=config_of(check),
        note="" if check.data.synthetic is None or check.data.synthetic.images_per_sample else TEXT_ALONE,
    )


def class_without(head: Head, reason: Reason, check: CheckConfig, seconds: float) -> SurveyedClass:
    """The result of a class whose processes ended before its check could be judged."""
    return SurveyedClass(
        name=head.name,
        model_type=head.model_type,
        task=head.task,
        verdict=NOT_CHECKED,
        reason_kind=_KINDS[reason.kind],
        reason=reason.text,
        duration_seconds=seconds,
        config=config_of(check),
    )


def _why_undecided(report: Report) -> Reason:
    for split in report.splits:
        if split.status != "ran" and split.reason:
            return Reason(split.reason_kind or "crashed", split.reason)
    findings = [one.summary for one in report.findings if one.severity == "error"]
    undecided = [split.reason for split in report.splits if split.verdict == "error" and split.reason]
    return Reason("unsupported", next(iter([*findings, *undecided]), "its splits could not be judged"))
