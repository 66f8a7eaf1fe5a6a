"""Updates in the report: a line for each split whose update is wrong, a test case, and a picture."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from accumcheck.record import Finding, Report, SplitResult
from accumcheck.record.reported import UpdateRecord, WeightChange
from accumcheck.report.parts.curves import update_charts
from accumcheck.report.parts.metrics import metrics
from accumcheck.report.parts.updates import update_lines
from tests.report import written
from tests.report.runs import clean, split

RATES = (1e-3, 5e-4, 0.0)


def updates(rates: tuple[float, ...] = RATES, clip: float = 0.25) -> tuple[UpdateRecord, ...]:
    return tuple(
        UpdateRecord(step, (rate, rate), clip, WeightChange(10 * rate, 0.0)) for step, rate in enumerate(rates, start=1)
    )


def finding(of: str, *splits: str, severity: str = "fail") -> Finding:
    return Finding(of, severity, splits, summary="the learning rate is another one")  # type: ignore[arg-type]


def report(*findings: Finding, wrong: SplitResult | None = None) -> Report:
    """1x128x1 and 4x16x2, whose update is wrong."""
    other = split("4x16x2", updates=updates((1e-3, 0.0, 0.0)), verdict="fail") if wrong is None else wrong
    splits = (split("1x128x1", control=True, updates=updates()), other)
    return replace(clean(), splits=splits, findings=findings, verdict="fail", exit_code=1)


def test_a_split_whose_update_is_wrong_has_a_line_with_the_controls_numbers() -> None:
    (line,) = update_lines(report(finding("schedule-times-k", "4x16x2")))
    assert line.label == "update 4x16x2"
    assert line.text == (
        "schedule-times-k; learning rate 0.001, 0, 0 (control 0.001, 0.0005, 0); clipped to 0.25, 0.25, 0.25; "
        "weight change 0.01, 0, 0 (control 0.01, 0.005, 0)"
    )


def test_a_split_that_ends_early_has_a_line_with_both_numbers_of_steps() -> None:
    whole = split("4x16x2", updates=updates()[:2], verdict="fail")
    (line,) = update_lines(report(finding("steps-differ", "4x16x2"), wrong=replace(whole, steps=whole.steps[:2])))
    assert line.text.startswith("steps-differ; 2 optimizer steps (control 3); learning rate 0.001, 0.0005;")


def test_where_nothing_is_said_of_updates_there_is_no_line() -> None:
    assert update_lines(report(finding("wrong-parameters", "4x16x2"))) == ()
    assert update_lines(clean()) == ()


def test_the_table_ends_with_the_line() -> None:
    text = written.text(report(finding("schedule-times-k", "4x16x2")), name="table")
    assert "update 4x16x2" in text
    assert "update" not in written.text(clean(), name="table")


def of_junit(report: Report) -> dict[str, str]:
    root = ElementTree.fromstring(written.text(report, name="junit"))
    failed = {case.attrib["name"]: case.find("failure") is not None for case in root.iter("testcase")}
    return {name: "failed" if broken else "passed" for name, broken in failed.items()}


def test_a_wrong_update_is_a_test_case_that_fails_and_its_metrics_pass() -> None:
    found = of_junit(report(finding("schedule-times-k", "4x16x2")))
    assert [name for name, what in found.items() if what == "failed"] == ["4x16x2 update"]
    assert found["1x128x1 update"] == found["4x16x2 gradient"] == "passed"


@pytest.mark.parametrize(
    "findings",
    [
        [finding("unsynchronised", "4x16x2")],
        [finding("unsynchronised", "4x16x2"), finding("schedule-times-k", "4x16x2", severity="warn")],
    ],
)
def test_a_split_that_fails_for_another_reason_fails_in_its_metrics(findings: list[Finding]) -> None:
    found = of_junit(report(*findings))
    assert [name for name, what in found.items() if what == "failed"] == [
        "4x16x2 loss",
        "4x16x2 grad_norm",
        "4x16x2 gradient",
    ]


def test_without_updates_there_is_no_case_of_them() -> None:
    one = split("4x16x2")
    assert [metric.name for metric in metrics(one, report(wrong=one))] == ["loss", "grad_norm", "gradient"]


def test_learning_rates_and_changes_are_drawn_by_step() -> None:
    rates, changes = update_charts(report())
    assert (rates.name, changes.name) == ("Learning rate", "Change of the weights")
    assert {curve.name: curve.values for curve in rates.curves} == {
        "1x128x1": "0.001000, 0.000500, 0.000000",
        "4x16x2": "0.001000, 0.000000, 0.000000",
    }
    assert [tick.label for tick in rates.x] == ["1", "2", "3"]
    assert update_charts(clean()) == []
    assert "Updates" in written.text(report(), name="html")
