"""Loops around ``deepspeed.initialize``, and a Trainer with an engine: right ones pass, and what is wrong is named."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from tests.e2e.test_programs import LOOP, run, script, verdicts


def is_right() -> bool:
    """Whether a DeepSpeed is installed that divides a loss by k once: see the known faults."""
    try:
        return Version(importlib.metadata.version("deepspeed")) >= Version("0.19.6")
    except importlib.metadata.PackageNotFoundError:
        return False


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_right(), reason="needs DeepSpeed: pip install 'deepspeed>=0.19.6'"),
]
CASES: dict[str, tuple[list[str], str, set[str]]] = {
    "stage-0": (["--stage", "0"], "token-mean", set()),
    "stage-3-offload": (["--stage", "3", "--offload"], "token-mean", set()),
    "bf16": (["--stage", "1", "--bf16", "--add-in", "fp32"], "token-mean", set()),
    "stage-0-divided": (["--stage", "0", "--fault", "divides-again"], "token-mean/k", {"token-mean,token-mean/k"}),
    "stage-3-offload-divided": (
        ["--stage", "3", "--offload", "--fault", "divides-again"],
        "token-mean/k",
        {"token-mean,token-mean/k"},
    ),
    "bf16-means": (["--bf16", "--fault", "means"], "microbatch-mean", {"token-mean,microbatch-mean"}),
    "schedule": (["--fault", "schedule"], "token-mean", {"schedule-times-k"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_loop_around_an_engine_is_checked_like_any_other(tmp_path: Path, case: str) -> None:
    options, rule, findings = CASES[case]
    ended = run(tmp_path, **script("deepspeed_loop.py", *LOOP, *options))
    assert ended.code == bool(findings), ended.out + ended.err
    assert verdicts(ended) == (["pass", "fail", "fail"] if findings else ["pass"] * 3)
    assert (ended.report["loss_rule"], ended.report["gradient_rule"]) == ("token-mean", rule)
    assert {finding["id"] for finding in ended.report["findings"]} == findings


@pytest.mark.parametrize("offload", ["none", "cpu"])
def test_weights_that_the_engine_casts_are_cast_for_the_reference_too(tmp_path: Path, offload: str) -> None:
    engine: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "bf16": {"enabled": "auto"},
        "zero_optimization": {"stage": 2, "offload_optimizer": {"device": offload}},
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
    }
    ended = run(
        tmp_path,
        **script("deepspeed_train.py", "--output_dir", str(tmp_path)),
        training_arguments={"bf16": True, "deepspeed": engine},
    )
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 3), ended.out + ended.err
    assert ended.report["gradient_rule"] == "token-mean"
    assert ended.report["model"]["dtype"] == "bfloat16"
