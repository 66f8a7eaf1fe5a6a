"""What a program's training arguments become, what is refused, and what the reference leaves whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import transformers

from accumcheck.capture.patches import Patches, Seam
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Split
from accumcheck.stacks.programs.settings import UNSHARDED, forget_sharding, override, settings_of, write_arguments

CHECK = CheckConfig(
    ModelConfig(), 8, (Split(1, 2, 4),), steps=5, stack="script", training_arguments={"label_smoothing_factor": 0.1}
)

made: list[int] = []
"""One entry for each time that a program has made training arguments."""


@pytest.fixture
def patches() -> Iterator[Patches]:
    with Patches({Seam.TRAINING_ARGUMENTS}) as patches:
        yield patches


@pytest.fixture
def overridden(tmp_path: Path, patches: Patches) -> Path:
    made.clear()
    settings = settings_of(CHECK, Split(1, 2, 4), output=str(tmp_path / "ours"), device="cpu", backend="gloo")
    override(settings, patches, lambda _: made.append(1), updates=True)
    return tmp_path


def test_the_split_and_the_check_beat_the_program(overridden: Path) -> None:
    theirs = transformers.TrainingArguments(
        str(overridden / "theirs"),
        per_device_train_batch_size=64,
        num_train_epochs=3,
        learning_rate=1.0,
        seed=7,
        max_grad_norm=0.25,
        weight_decay=0.5,
    )
    assert (theirs.per_device_train_batch_size, theirs.gradient_accumulation_steps, theirs.max_steps) == (2, 4, 5)
    assert theirs.output_dir == str(overridden / "ours")
    # weights are put back after each step, whatever it does
    assert (theirs.learning_rate, theirs.max_grad_norm, theirs.weight_decay) == (1.0, 0.25, 0.5)
    assert (theirs.label_smoothing_factor, theirs.seed) == (0.1, 7)  # the configuration's, and the program's own
    assert len(made) == 1


def test_the_reference_is_whole_whoever_asked_for_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patches: Patches
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", "3")
    check = replace(CHECK, training_arguments={"fsdp": "full_shard", "fsdp_config": {"version": 2}})
    forget_sharding()
    settings = settings_of(check, Split(1, 2, 1), output=str(tmp_path), device="cpu", backend="gloo")
    override({**settings, **UNSHARDED}, patches, updates=False)
    made = transformers.TrainingArguments("out", fsdp="full_shard", fsdp_config={"version": 1}, deepspeed="zero3.json")
    assert not made.fsdp
    assert not made.deepspeed
    assert (made.max_grad_norm, str(made.optim.value)) == (1e30, "sgd")
    asked = {"ACCELERATE_USE_FSDP", "FSDP_VERSION", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_DEEPSPEED_ZERO_STAGE"}
    assert not asked & os.environ.keys()


def test_the_arguments_are_left_with_what_was_observed(overridden: Path) -> None:
    write_arguments(transformers.TrainingArguments("out"), overridden)
    kept = json.loads((overridden / "training-arguments.json").read_text(encoding="utf-8"))
    assert (kept["label_smoothing_factor"], kept["gradient_accumulation_steps"]) == (0.1, 4)
    assert kept["deepspeed"] is False
