"""Loops that call ``deepspeed.initialize``, and a Trainer with an engine: correct ones pass, faults are named."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from tests.e2e.asked_programs import loop, trainer
from tests.e2e.program import Ended, run_together


def has_no_known_fault() -> bool:
    """Whether a DeepSpeed without the known faults is installed: it divides a loss by k only once."""
    try:
        return Version(importlib.metadata.version("deepspeed")) >= Version("0.19.6")
    except importlib.metadata.PackageNotFoundError:
        return False


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not has_no_known_fault(), reason="needs DeepSpeed: pip install 'deepspeed>=0.19.6'"),
]
SPLITS = ("1x8x1", "1x2x4", "2x2x2")
LOOPS: dict[str, tuple[list[str], str, set[str]]] = {
    "stage-0": (["--stage", "0"], "token-mean", set()),
    "stage-3-offload": (["--stage", "3", "--offload"], "token-mean", set()),
    "bf16": (["--stage", "1", "--bf16", "--add-in", "fp32"], "token-mean", set()),
    "stage-0-divided": (["--stage", "0", "--fault", "divides-again"], "token-mean/k", {"token-mean,token-mean/k"}),
    "stage-3-offload-divided": (
        ["--stage", "3", "--offload", "--fault", "divides-again"],
        "token-mean/k",
        {"token-mean,token-mean/k"},
    ),
    "bf16-means": (["--bf16", "--fault", "means"], "microbatch-mean", {"microbatch-mean"}),
    "schedule": (["--fault", "schedule"], "token-mean", {"schedule-times-k"}),
}
OFFLOADED = ("none", "cpu")


def with_engine(folder: Path, offload: str) -> dict[str, Any]:
    engine = {
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "bf16": {"enabled": "auto"},
        "zero_optimization": {"stage": 2, "offload_optimizer": {"device": offload}},
        "zero_force_ds_cpu_optimizer": False,
        "zero_allow_untested_optimizer": True,
    }
    asked = trainer(folder, *SPLITS, name="deepspeed_train.py")
    return {**asked, "training_arguments": {"bf16": True, "deepspeed": engine}}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ended]:
    made: dict[str, Any] = {
        name: lambda _, words=words: loop("deepspeed_loop.py", *words, splits=SPLITS)
        for name, (words, _, _) in LOOPS.items()
    }
    made |= {f"to-{device}": lambda folder, device=device: with_engine(folder, device) for device in OFFLOADED}
    return run_together(tmp_path_factory.getbasetemp(), made)


def verdicts(ended: Ended) -> list[str]:
    return [split["verdict"] for split in ended.report["splits"]]


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_around_an_engine_is_checked_like_any_other(ran: Mapping[str, Ended], name: str) -> None:
    _, rule, findings = LOOPS[name]
    ended = ran[name]
    assert ended.code == bool(findings), ended.out
    assert verdicts(ended) == (["pass", "fail", "fail"] if findings else ["pass"] * 3)
    assert ended.report["gradient_rule"] == rule
    assert {finding["id"] for finding in ended.report["findings"]} == findings


@pytest.mark.parametrize("device", OFFLOADED)
def test_weights_that_the_engine_casts_are_cast_for_the_reference_too(ran: Mapping[str, Ended], device: str) -> None:
    ended = ran[f"to-{device}"]
    assert (ended.code, verdicts(ended)) == (0, ["pass"] * 3), ended.out
    assert ended.report["gradient_rule"] == "token-mean"
    assert ended.report["model"]["dtype"] == "bfloat16"
