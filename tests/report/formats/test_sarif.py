"""SARIF: valid, at the configuration's lines, and never silent about a run that did not pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from accumcheck.record import ConfigFile, Finding, Report
from tests.report import comparisons, examples
from tests.report.documents import test_bisection as searches
from tests.report.documents.test_selftest import CAUGHT, OUTCOMES, SOUND
from tests.report.written import Record, text

SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("sarif.json").read_text(encoding="utf-8")))


def run(record: Record) -> dict[str, Any]:
    """The only run of the log, which is valid."""
    log = json.loads(text(record, "sarif"))
    SCHEMA.validate(log)
    (found,) = log["runs"]
    for result in found["results"]:
        assert found["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    return dict(found)


def places(record: Record) -> list[tuple[str, str, str, int]]:
    """Level, rule, file and line of every result."""
    found = []
    for result in run(record)["results"]:
        (location,) = result["locations"]
        place = location["physicalLocation"]
        found.append(
            (result["level"], result["ruleId"], place["artifactLocation"]["uri"], place["region"]["startLine"])
        )
    return found


def written_in(report: Report, path: str = "checks/llava.yaml", **lines: int) -> Report:
    return replace(report, config_file=ConfigFile(path, 5, {name[1:]: line for name, line in lines.items()}))


@pytest.fixture(autouse=True)
def _outside_of_a_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)


def test_the_schema_refuses_what_it_must() -> None:
    good = text(written_in(examples.llava_449()), "sarif")
    assert SCHEMA.is_valid(json.loads(good))
    for bad in (
        good.replace('"level": "error"', '"level": "fail"'),
        good.replace('"startLine": 5', '"startLine": 0'),
        good.replace("checks/llava.yaml", "checks/a b.yaml"),
        good.replace('"version": "2.1.0"', '"version": "2.2"'),
        good.replace('"ruleId"', '"rule"'),
    ):
        assert bad != good
        assert not SCHEMA.is_valid(json.loads(bad))


@pytest.mark.parametrize("make", examples.EVERY)
def test_every_report_is_valid_and_a_failing_one_has_an_error(make: Callable[[], Report]) -> None:
    report = make()
    levels = {result["level"] for result in run(report)["results"]}
    assert ("error" in levels) == (report.exit_code != 0)
    (invocation,) = run(report)["invocations"]
    assert invocation["exitCode"] == report.exit_code
    assert invocation["executionSuccessful"] == (report.exit_code in (0, 1))


def test_findings_are_at_the_lines_of_their_splits() -> None:
    rule = "weighting-rule"
    report = written_in(examples.llava_449(), s1x128x1=6, s4x16x2=7, s4x8x4=8, s8x1x16=9, s4x1x32=9)
    assert places(report) == [("error", rule, "checks/llava.yaml", line) for line in (7, 8, 9)]
    assert places(written_in(examples.llava_449())) == [("error", rule, "checks/llava.yaml", 5)]
    assert "locations" not in run(examples.llava_449())["results"][0]  # it was in no file


def test_a_rule_says_what_its_findings_mean_and_where_that_is_published() -> None:
    finding = replace(examples.llava_449().findings[0], consequence="Steps are too long.", advice="Keep k at 1.")
    found = run(replace(examples.llava_449(), findings=(finding,)))
    (rule,), (result,) = found["tool"]["driver"]["rules"], found["results"]
    assert rule["shortDescription"]["text"] == finding.explanation
    assert rule["help"]["text"] == (
        f"{finding.explanation}\nSteps are too long.\nadvice: Keep k at 1.\n"
        "known: Loss grows with the accumulation steps (affected: transformers 4.49.0 to 4.51.3; fixed: 4.57.6; "
        "workaround: model_accepts_loss_kwargs = False (leaves a mean of means))"
    )
    assert rule["helpUri"] == "https://github.com/hiyouga/LLaMA-Factory/issues/7443"
    assert result["message"]["text"].startswith("4x16x2, 4x8x4, 8x1x16, 4x1x32: the reported loss and the gradient are")


def test_severities_are_levels() -> None:
    def levels(report: Report) -> list[str]:
        return [result["level"] for result in run(report)["results"]]

    assert levels(examples.warned()) == ["warning", "warning"]
    assert levels(examples.warned(strict=True)) == ["error", "error"]
    assert levels(examples.skipped()) == ["error"]
    assert levels(examples.skipped(allowed=True)) == ["warning"]
    ignored = Finding("microbatch-mean", "ignore", ("4x16x2",), "loss 1.02 times the reference's")
    assert levels(replace(examples.clean(), findings=(ignored,))) == ["note"]
    assert levels(examples.clean()) == []


def test_what_did_not_run_is_named_by_the_kind_of_its_reason() -> None:
    found = run(examples.undecided())
    assert [(result["level"], result["ruleId"]) for result in found["results"]] == [
        ("error", "out-of-memory"),
        ("error", "not-enough-devices"),
    ]
    meanings = [rule["help"]["text"] for rule in found["tool"]["driver"]["rules"]]
    assert meanings == ["A process of the split ran out of memory.", "The split needs more devices than there are."]


def test_a_rule_with_results_of_two_levels_has_the_worse_one() -> None:
    findings = tuple(Finding("x", severity, (), "what") for severity in ("ignore", "fail", "warn"))
    found = run(replace(examples.llava_449(), findings=findings))
    (rule,) = found["tool"]["driver"]["rules"]
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert [result["level"] for result in found["results"]] == ["note", "error", "warning"]


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("a check.yaml", "a%20check.yaml"),
        ("a:b/100%.yaml", "a%3Ab/100%25.yaml"),
        ("/srv/checks/a b.yaml", "file:///srv/checks/a%20b.yaml"),
        ("../outside.yaml", f"file://{Path.cwd().parent}/outside.yaml"),
    ],
)
def test_paths_are_addresses(path: str, address: str) -> None:
    assert places(written_in(examples.no_model(), path))[0][2] == address


def test_files_are_named_from_the_root_of_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    report = written_in(examples.no_model(), str(tmp_path / "checks" / "a.yaml"))
    assert places(report)[0][2] == "checks/a.yaml"


def test_hostile_text_stays_text_and_no_secret_is_in_it() -> None:
    whole = text(examples.hostile(), "sarif")
    assert whole.isascii()
    assert "hf_open" not in whole
    found = run(examples.hostile())
    assert [result["message"]["text"].count(examples.HOSTILE) > 0 for result in found["results"]] == [True] * 3
    assert "\x1b" not in json.loads(whole)["runs"][0]["results"][0]["message"]["text"]
    assert not [rule for rule in found["tool"]["driver"]["rules"] if "helpUri" in rule]  # javascript: is no address


def test_a_comparison_has_one_result_for_each_check_that_did_not_come_out_well() -> None:
    assert places(comparisons.several()) == [
        ("error", "worse", "configs/b.yaml", 7),
        ("error", "undecided", "configs/c.yaml", 7),
    ]
    assert places(comparisons.drifting()) == [("error", "drift", "check.yaml", 7)]
    assert places(comparisons.failing_in_both()) == [("error", "fails", "check.yaml", 7)]
    assert places(comparisons.fixed()) == []


def test_a_search_has_one_result() -> None:
    def found(record: Record) -> list[tuple[str, str]]:
        return [(result["level"], result["ruleId"]) for result in run(record)["results"]]

    assert found(searches.broken()) == [("warning", "first-bad-release")]
    assert found(searches.fixed()) == [("note", "first-fixed-release")]
    assert found(searches.undecided()) == [("error", "first-bad-release")]


def test_a_self_test_has_a_result_for_each_case_that_did_not_hold() -> None:
    assert len(run(OUTCOMES)["results"]) == 2
    assert run([CAUGHT, SOUND])["results"] == []
