"""The report as JUnit XML: one case per split and metric, and one for each finding on the run as a whole.

A case passes only where the metric was compared and agrees: what did not run is an error or is skipped.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from accumcheck.report.junit_xml import Case, Outcome, Suite, document
from accumcheck.report.layout import clean
from accumcheck.report.metrics import Metric, metrics
from accumcheck.report.words import Note, findings, measures, note_of, verdict

if TYPE_CHECKING:
    from accumcheck.record import Report, SplitResult

_OUTCOMES: dict[str, Outcome] = {"fail": "failure", "error": "error", "skipped": "skipped"}


def text(report: Report) -> str:
    """The whole file."""
    path = report.config_file.path if report.config_file else "check"
    cases = [_case(metric, split, report) for split in report.splits for metric in metrics(split, report)]
    cases += [_of_the_run(note, report) for note in findings(report) if not note.splits]
    if report.exit_code and not any(case.outcome in ("failure", "error") for case in cases):
        said = verdict(report)
        cases.append(Case("run", "failure" if report.exit_code == 1 else "error", str(said), kind=report.verdict))
    suite = Suite(
        name=f"accumcheck {path}",
        classname=f"accumcheck.{PurePath(path).stem.replace('.', '_')}",
        cases=cases,
        seconds=report.duration_seconds,
        started_at=report.started_at,
        properties=_properties(report),
    )
    return document(suite)


def _case(metric: Metric, split: SplitResult, report: Report) -> Case:
    about = [
        note_of(finding, report)
        for finding in report.findings
        if str(split.split) in finding.splits and finding.severity != "ignore"
    ]
    details = "\n\n".join([metric.text, *map(_whole, about), *([f"log: {split.log}"] if split.log else [])])
    outcome = _outcome(metric.verdict, report)
    rule = split.loss_rule if metric.name == "loss" else split.gradient_rule
    return Case(
        name=f"{split.split} {metric.name}",
        outcome=outcome,
        message=clean(metric.text),
        details=clean(details),
        kind=split.verdict if split.status != "ran" else "divergence" if rule in (None, "token-mean") else str(rule),
        seconds=split.duration_seconds / 3,
        output=clean(details) if outcome == "passed" and metric.verdict == "warn" else "",
    )


def _of_the_run(note: Note, report: Report) -> Case:
    outcome = _outcome(note.tone, report)
    said = clean(_whole(note))
    output = said if outcome == "passed" else ""
    return Case(f"run {note.id}", outcome, clean(note.text), said, note.id, output=output)


def _outcome(verdict_or_severity: str, report: Report) -> Outcome:
    if verdict_or_severity == "warn" and report.strict:
        return "failure"
    return _OUTCOMES.get(verdict_or_severity, "passed")


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
