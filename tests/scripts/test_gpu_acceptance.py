"""The matrix is valid on any number of GPUs, and a summary never looks better than its runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from gpu_acceptance import ROOT, Outcome, problems_of, summary, worst
from gpu_cases import Case, matrix

from accumcheck.config.load import load_config

CASE = Case("nccl", "one process per GPU", {}, backend="nccl")


def a_report(**changes: Any) -> dict[str, Any]:
    """A run of two splits that passed on one GPU."""
    clean = {"loss": 1e-8, "grad_norm": 2e-8, "gradient": 3e-7}
    splits = [
        {
            "split": name,
            "is_control": name == "1x8x1",
            "status": "ran",
            "reason": "",
            "steps": [{"vs_control": {**clean, "loss": against}, "vs_reference": clean}],
        }
        for name, against in (("1x8x1", None), ("1x2x4", 4e-8))
    ]
    return {
        "verdict": "pass",
        "environment": {"device": "cuda", "device_name": "A GPU", "device_count": 1, "backend": "nccl"},
        "tolerances": {"loss": 1e-5, "grad_norm": 1e-5, "gradient": 1e-5},
        "splits": splits,
        **changes,
    }


@pytest.mark.parametrize("gpus", [1, 2, 3, 4, 8])
def test_every_case_is_a_valid_configuration(gpus: int, tmp_path: Path) -> None:
    for case in matrix(gpus):
        path = ROOT / "configs" / case.config if isinstance(case.config, str) else tmp_path / "case.yaml"
        if not isinstance(case.config, str):
            path.write_text(json.dumps(case.config), encoding="utf-8")
        check = load_config(path, list(case.settings))
        assert check.splits is not None
        assert check.model.dtype == (case.name if "float" in case.name else check.model.dtype)


def test_the_nccl_case_uses_every_gpu() -> None:
    (case,) = [case for case in matrix(4) if case.name == "nccl"]
    assert not isinstance(case.config, str)
    assert case.config["splits"] == ["1x32x1", "4x8x1", "4x2x4", "4x1x8"]


def test_the_same_split_is_not_asked_for_twice_on_one_gpu() -> None:
    (case,) = [case for case in matrix(1) if case.name == "nccl"]
    assert not isinstance(case.config, str)
    assert case.config["splits"] == ["1x8x1", "1x2x4", "1x1x8"]


def test_seven_billion_parameters_run_on_one_gpu_within_eight_minutes() -> None:
    (case,) = [case for case in matrix(8) if case.name == "llava15-7b"]
    check = load_config(ROOT / "configs" / "llava15-7b.yaml", [])
    assert [str(split) for split in check.splits or ()] == ["1x16x8", "1x8x16", "1x1x128"]
    assert (check.model.shrink, check.model.dtype, check.steps) == (False, "bfloat16", 1)
    assert (case.one_gpu, case.limit) == (True, 480)


def test_a_clean_run_has_no_problems() -> None:
    assert list(problems_of(CASE, 0, 60.0, a_report())) == []


def test_whatever_is_not_as_it_should_be_is_a_problem() -> None:
    report = a_report(verdict="error", environment={"device": "cuda", "backend": "gloo"})
    report["splits"][1] |= {"status": "error", "reason": "out of memory", "steps": []}
    assert list(problems_of(CASE, 3, 500.0, report)) == [
        "took 500 s of 480 s",
        "verdict error, exit code 3",
        "1x2x4: error: out of memory",
        "ran with gloo, expected nccl",
    ]
    assert list(problems_of(CASE, 1, 60.0, None)) == ["no report, exit code 1"]


def test_a_planted_fault_must_fail_and_be_named() -> None:
    case = replace(CASE, fault="schedule-times-n")
    named = a_report(verdict="fail", findings=[{"id": "schedule-times-n"}])
    assert list(problems_of(case, 1, 60.0, named)) == []
    assert list(problems_of(case, 1, 60.0, a_report(verdict="fail", findings=[{"id": "unexplained"}]))) == [
        "expected the finding schedule-times-n, found unexplained"
    ]
    assert list(problems_of(case, 0, 60.0, a_report(findings=[]))) == [
        "verdict pass, exit code 0",
        "expected the finding schedule-times-n, found none",
    ]


def test_the_worst_difference_is_from_control_or_reference() -> None:
    assert worst(a_report(), "loss") == 4e-8
    assert worst(a_report(), "gradient") == 3e-7
    assert worst(a_report(splits=[]), "loss") is None


def test_nan_is_the_worst_difference_of_all() -> None:
    report = a_report()
    report["splits"][0]["steps"][0]["vs_reference"] = {"loss": "NaN"}
    assert worst(report, "loss") == math.inf


def test_a_summary_names_problems_and_says_when_it_ran_on_a_cpu() -> None:
    when = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)
    outcomes = [
        Outcome(CASE, 0, 61.2, a_report(), 4096),
        Outcome(CASE, 1, 3.0, None, None, ("no report, exit code 1",)),
    ]
    lines = summary(outcomes, "cuda", when).splitlines()
    assert lines[0] == "# Acceptance on cuda, 2026-01-02 03:04 UTC"
    assert lines[-4:] == [
        "| nccl | 1x8x1 (control), 1x2x4 | nccl | pass | 4.0e-08 (1e-05) | 2.0e-08 (1e-05) | 3.0e-07 (1e-05) | 61 "
        "| 4.0 GiB |",
        "| nccl | | | none | | | | 3 | - |",
        "",
        "- nccl: no report, exit code 1",
    ]
    assert "says nothing about GPUs" not in "\n".join(lines)
    assert "says nothing about GPUs" in summary(outcomes, "cpu", when)


@pytest.mark.parametrize("name", ["fault-schedule", "fsdp-loop"])
def test_a_published_report_names_no_folder_of_its_machine(name: str) -> None:
    file = ROOT / "docs" / "gpu" / "h200-2026-11-27" / f"{name}.json"
    config = json.loads(file.read_text(encoding="utf-8"))["config"]
    assert (ROOT / config["script"]["path"]).is_file()
    assert not Path(config["script"]["path"]).is_absolute()
