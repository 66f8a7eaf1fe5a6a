"""The verdict in one line, where some failures are expected."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.report.parts.split_rows import split_table
from accumcheck.report.parts.verdict import verdict
from tests.report import examples


def test_expected_failures_are_counted_apart_from_warnings() -> None:
    report = examples.expected()
    assert str(verdict(report)) == "warn: 5 of 5 splits ran, 4 fail as expected (exit code 0: known failures)"
    assert verdict(replace(report, strict=True)).text == "5 of 5 splits ran, 4 fail as expected"


def test_the_table_calls_an_expected_failure_so() -> None:
    verdicts = [row[-1].text for row in split_table(examples.expected()).rows]
    assert verdicts == ["pass", "expected", "expected", "expected", "expected"]
