"""A Trainer's check as small ones: one for each split and metric, and known failures among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import accumcheck
from accumcheck.errors import ConfigError
from accumcheck.record import Finding, Report
from accumcheck.trainer_checks import CHECKS, RUN, check_ids, expected_reasons, results_of
from tests.report import examples

SPLITS = ["1x128x1", "4x16x2", "4x8x4", "8x1x16", "4x1x32"]


def build_trainer() -> Any:
    """Never called here: `run_check` is replaced."""


@pytest.fixture
def gives(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes every run give a report."""
    asked: list[Any] = []

    def install(report: Report) -> list[Any]:
        def run_check(check: Any, **_: Any) -> Report:
            asked.append(check)
            return report

        monkeypatch.setattr("accumcheck.check.run_check", run_check)
        return asked

    return install


def test_one_id_for_each_split_and_check_and_one_for_the_run() -> None:
    assert check_ids(["1x4x1", "1x1x4"]) == [
        "1x4x1-loss",
        "1x4x1-grad_norm",
        "1x4x1-gradient",
        "1x4x1-update",
        "1x1x4-loss",
        "1x1x4-grad_norm",
        "1x1x4-gradient",
        "1x1x4-update",
        "run",
    ]
    with pytest.raises(ConfigError, match="found 'auto'"):
        check_ids("auto")


@pytest.mark.parametrize("make", examples.EVERY)
def test_results_have_the_ids_that_were_collected(make: Any) -> None:
    report: Report = make()
    expected = check_ids([str(one.split) for one in report.splits]) if report.splits else [RUN]
    assert [one.id for one in results_of(report)] == expected


def test_a_run_that_passes_gives_only_passes(gives: Any) -> None:
    asked = gives(examples.clean())
    results = accumcheck.check_trainer(build_trainer, splits=["1x128x1", "4x16x2"], steps=1)
    assert {one.status for one in results if one.check != "update"} == {"passed"}
    assert {one.reason for one in results if one.check == "update"} == {"the update was not compared"}
    assert (asked[0].stack, asked[0].global_batch_size, asked[0].steps) == ("callable", 128, 1)


def test_what_fails_is_named(gives: Any) -> None:
    gives(examples.llava_449())
    with pytest.raises(accumcheck.ChecksFailedError) as raised:
        accumcheck.check_trainer(build_trainer, splits=SPLITS)
    by_id = {one.id: one.status for one in raised.value.results}
    assert by_id["1x128x1-loss"] == "passed"
    assert by_id["4x16x2-loss"] == by_id["4x1x32-gradient"] == "failed"
    assert str(raised.value).startswith("12 of 21 checks fail:\n4x16x2-loss: loss: x 2.00 vs control")
    assert raised.value.report.verdict == "fail"


def test_known_failures_do_not_raise_and_stay_visible(gives: Any) -> None:
    gives(examples.llava_449())
    expected = dict.fromkeys(SPLITS[1:], "transformers#36997")
    results = accumcheck.check_trainer(build_trainer, splits=SPLITS, expected_failures=expected)
    by_id = {one.id: one for one in results}
    assert by_id["4x8x4-loss"].status == "expected failure"
    assert by_id["4x8x4-loss"].reason == "transformers#36997"
    assert by_id["1x128x1-loss"].status == "passed"


def test_a_known_failure_that_is_gone_is_told(gives: Any) -> None:
    gives(examples.clean())
    results = accumcheck.check_trainer(build_trainer, splits=["1x128x1", "4x16x2"], expected_failures={"loss": "known"})
    assert next(one.status for one in results if one.check == "loss") == "unexpected pass"


def test_an_expected_failure_does_not_excuse_a_crash(gives: Any) -> None:
    gives(examples.undecided())
    splits = [str(one.split) for one in examples.undecided().splits]
    with pytest.raises(accumcheck.ChecksFailedError) as raised:
        accumcheck.check_trainer(build_trainer, splits=splits, expected_failures={"4x8x4": "known"})
    statuses = {one.id: one.status for one in raised.value.results}
    assert statuses["4x8x4-loss"] == "error"
    assert statuses["8x16x1-loss"] == "skipped"


def test_what_is_wrong_with_the_run_as_a_whole_is_a_check_of_its_own() -> None:
    finding = Finding("samples-differ", "fail", (), "the splits were fed other samples")
    report = replace(examples.clean(), verdict="fail", exit_code=1, findings=(finding,))
    last = results_of(report)[-1]
    assert (last.id, last.status) == ("run", "failed")
    assert last.reason == "samples-differ: the splits were fed other samples"


def test_where_only_gpus_are_missing_nothing_fails() -> None:
    made = examples.undecided()
    splits = tuple(one for one in made.splits if one.status != "error")
    results = results_of(replace(made, verdict="skipped", exit_code=3, splits=splits))
    assert {one.status for one in results} == {"passed", "skipped"}
    assert results[-1].status == "skipped"


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"1x2x2": "r"}, "expected_failures: '1x2x2' matches no check; give a split, one of loss, grad_norm, gradient"),
        ({"1x4x1": " "}, "expected_failures: '1x4x1' has no reason"),
    ],
)
def test_a_known_failure_that_names_nothing_is_an_error(expected: Mapping[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        expected_reasons(expected, check_ids(["1x4x1", "1x1x4"]))
    assert str(raised.value).startswith(words)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("1x4x1", [f"1x4x1-{check}" for check in CHECKS]),
        ("gradient", ["1x4x1-gradient", "1x1x4-gradient"]),
        ("1x1x4-loss", ["1x1x4-loss"]),
        ("run", ["run"]),
    ],
)
def test_what_a_known_failure_means(key: str, meant: list[str]) -> None:
    assert list(expected_reasons({key: "known"}, check_ids(["1x4x1", "1x1x4"]))) == meant
