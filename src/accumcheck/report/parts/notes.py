"""What is wrong in a run, one note per finding, and why splits did not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.report.blocks import Known, Note
from accumcheck.report.parts.phrases import few

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accumcheck.record import Finding, Report, SplitResult


def not_run(report: Report) -> list[Note]:
    """Why splits have no result, grouped by reason, and where their logs are."""
    groups: dict[tuple[str, str, str], list[SplitResult]] = {}
    for split in report.splits:
        if split.status != "ran":
            groups.setdefault((split.verdict, split.reason, split.reason_kind or split.status), []).append(split)
    return [
        Note(
            tone=verdict,
            labels=_labels([str(split.split) for split in group], report),
            text=reason or "no reason was recorded",
            excerpt=next((split.traceback for split in group if split.traceback), ()),
            logs=tuple(split.log for split in group if split.log),
            id=kind,
            splits=tuple(str(split.split) for split in group),
        )
        for (verdict, reason, kind), group in groups.items()
    ]


def findings(report: Report) -> list[Note]:
    """One note per finding, without those that `not_run` reports already."""
    return [note_of(finding, report) for finding in report.findings if not _repeats(finding, report)]


def note_of(finding: Finding, report: Report) -> Note:
    """One finding in words."""
    return Note(
        tone=finding.severity,
        labels=_labels(finding.splits, report),
        text=f"expected ({finding.expected}): {finding.summary}" if finding.expected else finding.summary,
        paragraphs=tuple(filter(None, (*finding.explanation.split("\n"), finding.consequence))),
        advice=finding.advice,
        excerpt=_raised(finding, report),
        source=finding.source or "",
        known=tuple(_known(fault) for fault in finding.known),
        id=finding.id,
        splits=finding.splits,
        expected=finding.expected,
    )


def _raised(finding: Finding, report: Report) -> tuple[str, ...]:
    """The traceback behind an error of the whole run: every split that ran without a verdict has it."""
    if finding.severity != "error" or finding.splits:
        return ()
    undecided = [split for split in report.splits if split.status == "ran" and split.verdict == "error"]
    return next((split.traceback for split in undecided if split.traceback), ())


def _repeats(finding: Finding, report: Report) -> bool:
    reasons = {str(split.split): split.reason for split in report.splits if split.status != "ran"}
    same = bool(finding.splits) and all(reasons.get(split) == finding.summary for split in finding.splits)
    return same and not finding.explanation


def _known(fault: Mapping[str, Any]) -> Known:
    title, url = str(fault.get("title") or fault.get("url") or "a published fault"), str(fault.get("url") or "")
    facts = [(key, fault.get(key)) for key in ("affected", "fixed", "workaround")]
    return Known(
        title=title,
        url="" if url == title else url,
        facts=tuple(
            (key, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))
            for key, value in facts
            if value
        ),
    )


def _labels(labels: Sequence[str], report: Report) -> str:
    """The splits' labels, shortened if there are many."""
    if len(labels) > 1 and len(labels) == len(report.splits):
        return "every split"
    return few(labels)
