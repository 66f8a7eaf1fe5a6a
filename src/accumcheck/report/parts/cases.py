"""A run as test cases: one per split and metric (including its update), and one per finding about the run.

A case passes only if the metric was compared and agrees: a split that did not run is an error or skipped.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from accumcheck.report.document import Case, Suite
from accumcheck.report.parts.measures import measures
from accumcheck.report.parts.metrics import metrics
from accumcheck.report.parts.notes import findings, note_of
from accumcheck.report.parts.updates import findings_of_update
from accumcheck.report.parts.verdict import verdict

if TYPE_CHECKING:
    from accumcheck.record import Report, SplitResult
    from accumcheck.report.blocks import Note
    from accumcheck.report.document import Outcome
    from accumcheck.report.parts.metrics import Metric

OUTCOMES: dict[str, Outcome] = {"fail": "failure", "error": "error", "skipped": "skipped"}
"""The outcome of a test case by its verdict; all others pass."""


def suite(report: Report) -> Suite:
    """All cases of a run."""
    path = report.config_file.path if report.config_file else "check"
    cases = [case for split in report.splits for case in _of_split(split, report)]
    cases += [_of_the_run(note, report) for note in findings(report) if not note.splits]
    if report.exit_code and not any(case.outcome in ("failure", "error") for case in cases):
        cases.append(
            Case("run", "failure" if report.exit_code == 1 else "error", str(verdict(report)), kind=report.verdict)
        )
    return Suite(
        name=f"accumcheck {path}",
        classname=f"accumcheck.{class_of(path)}",
        cases=cases,
        seconds=report.duration_seconds,
        started_at=report.started_at,
        properties=_properties(report),
    )


def class_of(path: str) -> str:
    """A file's name without its extension, as one part of a class name."""
    return PurePath(path).stem.replace(".", "_")


def _of_split(split: SplitResult, report: Report) -> list[Case]:
    found = metrics(split, report)
    return [_case(metric, split, report, split.duration_seconds / len(found)) for metric in found]


def _case(metric: Metric, split: SplitResult, report: Report, seconds: float) -> Case:
    about = [
        note_of(finding, report)
        for finding in report.findings
        if str(split.split) in finding.splits and finding.severity != "ignore"
    ]
    raised = ["\n".join(split.traceback)] if split.traceback else []
    details = "\n\n".join([metric.text, *raised, *map(_whole, about), *([f"log: {split.log}"] if split.log else [])])
    expected = bool(split.expected) and metric.verdict == "warn"
    outcome: Outcome = "skipped" if expected else _outcome(metric.verdict, report)
    return Case(
        name=f"{split.split} {metric.name}",
        outcome=outcome,
        message=f"expected failure ({split.expected}): {metric.text}" if expected else metric.text,
        details=details,
        kind=_kind(metric, split, report),
        seconds=seconds,
        output=details if outcome == "passed" and metric.verdict == "warn" else "",
    )


def _kind(metric: Metric, split: SplitResult, report: Report) -> str:
    """Why it did not run, its rule if that is not the right one, or what is wrong with its update."""
    if split.status != "ran":
        return split.reason_kind or split.verdict
    if metric.name == "update":
        return next((one.id for one in findings_of_update(split, report)), "divergence")
    rule = split.loss_rule if metric.name == "loss" else split.gradient_rule
    return "divergence" if rule in (None, "token-mean") else str(rule)


def _of_the_run(note: Note, report: Report) -> Case:
    outcome, details = "skipped" if note.expected else _outcome(note.tone, report), _whole(note)
    output = details if outcome == "passed" else ""
    return Case(f"run {note.id}", outcome, note.text, details, note.id, output=output)


def _outcome(tone: str, report: Report) -> Outcome:
    if tone == "warn" and report.strict:
        return "failure"
    return OUTCOMES.get(tone, "passed")


def _whole(note: Note) -> str:
    advice = [f"advice: {note.advice}"] if note.advice else []
    source = [f"source: {note.source}"] if note.source else []
    known = [f"known: {' '.join(filter(None, (fault.title, fault.url)))}" for fault in note.known]
    return "\n".join([note.headline, *note.paragraphs, *advice, *source, *known])


def _properties(report: Report) -> dict[str, str]:
    environment = report.environment
    found = {
        "accumcheck": report.accumcheck_version,
        "transformers": environment.transformers,
        "accelerate": environment.accelerate,
        "torch": environment.torch,
        "device": environment.device,
        "verdict": report.verdict,
        "exit code": str(report.exit_code),
        **dict(measures(report)),
    }
    return {name: value for name, value in found.items() if value}
