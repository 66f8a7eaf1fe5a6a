"""A survey in lines: each class as it ended, and the counts at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.record.survey import TaskCounts
from accumcheck.report.blocks import WORDS

if TYPE_CHECKING:
    from accumcheck.record.survey import Survey, SurveyedClass

_NAME_WIDTH = 48
_VERDICT_WIDTH = 12


def class_line(one: SurveyedClass) -> str:
    """One class as it ended: its name, its verdict, and the rule or why it was not checked."""
    verdict = WORDS.get(one.verdict, one.verdict)
    return f"{one.name:<{_NAME_WIDTH}} {verdict:<{_VERDICT_WIDTH}} {said_of(one)}".rstrip()


def said_of(one: SurveyedClass) -> str:
    """The rule of a class with what else was found wrong, or why it was not checked."""
    if not one.is_checked:
        return f"{one.reason_kind}: {one.reason}"
    found = dict.fromkeys(
        finding.id
        for finding in one.findings
        if finding.severity in ("fail", "warn") and finding.loss_rule is None and finding.gradient_rule is None
    )
    return "; ".join([one.rule, *found, *([one.note] if one.note else [])])


def classes_counted(number: int) -> str:
    """``1 class``, ``3 classes``."""
    return f"{number} class" if number == 1 else f"{number} classes"


def total_of(survey: Survey) -> TaskCounts:
    """The counts of all tasks together."""
    tasks = survey.summary.by_task.values()
    return TaskCounts(
        checked=sum(one.checked for one in tasks),
        not_checked=sum(one.not_checked for one in tasks),
        passed=sum(one.passed for one in tasks),
        warned=sum(one.warned for one in tasks),
        failed=sum(one.failed for one in tasks),
        missing_package=sum(one.missing_package for one in tasks),
    )


def counts_of(survey: Survey) -> str:
    """``5 classes: 4 checked (3 pass, 1 fail), 1 not checked (1 unsupported)``."""
    total = total_of(survey)
    parts = [("pass", total.passed), ("warn", total.warned), ("fail", total.failed)]
    checked = ", ".join(f"{number} {name}" for name, number in parts if number)
    reasons = ", ".join(f"{number} {kind}" for kind, number in survey.summary.by_reason.items())
    found = f"{classes_counted(total.total)}: {total.checked} checked{f' ({checked})' if checked else ''}"
    return f"{found}, {total.not_checked} not checked{f' ({reasons})' if reasons else ''}"


def summary_lines(survey: Survey) -> list[str]:
    """The counts by task, by rule and by kind of reason, and what changed since an older survey."""
    lines = ["", f"{'task':<34}{'classes':>8}{'checked':>9}{'pass':>6}{'warn':>6}{'fail':>6}"]
    for task, one in [*survey.summary.by_task.items(), ("all", total_of(survey))]:
        lines.append(f"{task:<34}{one.total:>8}{one.checked:>9}{one.passed:>6}{one.warned:>6}{one.failed:>6}")
    for title, found in (("rule", survey.summary.by_rule), ("not checked", survey.summary.by_reason)):
        if found:
            lines += ["", title, *(f"{count:>6}  {name}" for name, count in found.items())]
    if survey.compared is not None:
        old = survey.compared
        lines += ["", f"since {old.file} (transformers {old.transformers})"]
        lines += [f"  {one.change}: {one.name} ({one.before or '-'} -> {one.after or '-'})" for one in old.changes]
        lines += [] if old.changes else ["  nothing changed"]
    return lines
