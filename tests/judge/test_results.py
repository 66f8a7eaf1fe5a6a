"""Every split that fails, or could not be decided, has a reason."""

from __future__ import annotations

from typing import Any

import pytest

from accumcheck.judge.judge import judge
from accumcheck.judge.results import with_reasons
from accumcheck.record import Finding, Split, SplitResult, Verdict
from tests.judge.runs import SPLITS, check, observe, reference, right

SPLIT = Split(1, 2, 4)


def result(verdict: Verdict, status: Any = "ran", reason: str = "") -> SplitResult:
    return SplitResult(SPLIT, False, status, reason, verdict, 1.0)


def finding(severity: Any, summary: str, *splits: str) -> Finding:
    return Finding(id=summary, severity=severity, splits=splits, summary=summary, explanation="")


FINDINGS = [
    finding("warn", "a warning", "1x2x4"),
    finding("fail", "another split", "2x2x2"),
    finding("fail", "of the run"),
    finding("fail", "the loss is 4 times too large", "1x8x1", "1x2x4"),
]


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        (FINDINGS, "the loss is 4 times too large"),
        (FINDINGS[:3], "of the run"),
        (FINDINGS[:2], "a warning"),
        ([], "its numbers differ by more than the tolerance"),
        ([finding("fail", " ", "1x2x4")], "its numbers differ by more than the tolerance"),
    ],
)
def test_a_split_that_fails_has_the_worst_findings_summary(findings: list[Finding], reason: str) -> None:
    (found,) = with_reasons([result("fail")], findings)
    assert found.reason == reason


def test_a_split_that_left_no_word_is_said_to_have_left_none() -> None:
    (found,) = with_reasons([result("error", "error")], [])
    assert found.reason == "it ended without an error message; see its log"


def test_a_reason_stands_and_what_passes_has_none() -> None:
    before = [result("error", "error", "KeyError"), result("pass"), result("warn")]
    assert list(with_reasons(before, FINDINGS)) == before


def test_a_split_that_is_not_judged_shows_what_ended_the_reference() -> None:
    raised = ('  File "train.py", line 3, in load', "KeyError: 'data'")
    runs = [observe(Split.parse(text), right) for text in SPLITS]
    found = judge(check(SPLITS), runs, runs[0].split, None, no_reference="KeyError", reference_traceback=raised)
    assert {(one.verdict, one.traceback) for one in found.splits} == {("error", raised)}
    judged = judge(check(SPLITS), runs, runs[0].split, reference(), reference_traceback=raised)
    assert {one.traceback for one in judged.splits} == {()}
