"""Notes: the traceback of what ended the reference is shown with the finding that says so."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.report.parts.notes import findings
from tests.report import examples

RAISED = ('  File "train.py", line 3, in load', "KeyError: 'data'")


def test_an_error_of_the_run_shows_the_traceback_that_its_splits_have() -> None:
    report = examples.no_reference()
    (note,) = (one for one in findings(report) if one.id == "no-reference")
    assert note.excerpt == ()
    splits = tuple(replace(one, traceback=RAISED) for one in report.splits)
    (note,) = (one for one in findings(replace(report, splits=splits)) if one.id == "no-reference")
    assert note.excerpt == RAISED


def test_other_findings_show_none() -> None:
    report = examples.no_reference()
    splits = tuple(replace(one, traceback=RAISED) for one in report.splits)
    other = replace(report.findings[0], severity="fail")
    (note,) = findings(replace(report, splits=splits, findings=(other,)))
    assert note.excerpt == ()
