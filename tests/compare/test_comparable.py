"""Which reports are of one check, which are nearly, and which are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accumcheck.compare.comparable import differing, likeness
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import Report, Split
from tests.report import examples

CONFIG = CheckConfig(
    model=ModelConfig(config={"model_type": "llama", "hidden_size": 32}),
    global_batch_size=128,
    splits=(Split(1, 128, 1), Split(4, 16, 2)),
).to_dict()


def report(**keys: Any) -> Report:
    return replace(examples.clean(), config={**CONFIG, **keys})


def with_model(**keys: Any) -> Report:
    return report(model={**CONFIG["model"], **keys})


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (report(seed=1), "seed"),
        (report(global_batch_size=64), "global_batch_size"),
        (report(data={**CONFIG["data"], "max_length": 8}), "data.max_length"),
        (report(data={**CONFIG["data"], "synthetic": {"min_length": 9}}), "data.synthetic.min_length"),
        (with_model(config={"model_type": "llama", "hidden_size": 64}), "model.config.hidden_size"),
        (with_model(architecture="LlamaModel"), "model.architecture"),
        (with_model(shrink=True), "model.shrink"),
        (with_model(weights="pretrained"), "model.weights"),
    ],
)
def test_other_weights_or_samples_are_another_check(other: Report, key: str) -> None:
    found = likeness(report(), other)
    assert any(obstacle.startswith(f"{key}: ") for obstacle in found.obstacles)
    assert not likeness(other, other).obstacles


@pytest.mark.parametrize(
    ("other", "key"),
    [
        (with_model(dtype="bfloat16"), "model.dtype"),
        (with_model(attn_implementation="eager"), "model.attn_implementation"),
        (report(steps=2), "steps"),
        (report(stack="accelerate"), "stack"),
        (report(training_arguments={"label_smoothing_factor": 0.1}), "training_arguments.label_smoothing_factor"),
        (report(script={"path": "/train.py"}), "script.path"),
    ],
)
def test_another_computation_is_compared_but_for_its_reference(other: Report, key: str) -> None:
    found = likeness(report(), other)
    assert found.obstacles == ()
    assert found.other_reference == (key,)
    assert [note.split(":")[0] for note in found.notes] == [key]


@pytest.mark.parametrize("key", ["tolerances", "severity"])
def test_another_measure_is_told_and_leaves_the_reference_alone(key: str) -> None:
    found = likeness(report(), report(**{key: {"loss": 0.5}}))
    assert (found.obstacles, found.other_reference) == ((), ())
    assert found.notes == (
        f"{key}.loss: nothing in the old report, 0.5 in the new; the verdicts used different limits",
    )


def test_what_is_run_where_is_of_no_account() -> None:
    other = report(splits=["1x128x1"], launcher={"timeout": 5.0, "device": "cuda"}, trajectory_steps=7)
    found = likeness(report(), other)
    assert (found.obstacles, found.notes, found.other_reference) == ((), (), ())


def test_keys_that_a_later_version_adds_are_equal_while_empty() -> None:
    assert list(differing({"a": 1}, {"a": 1, "b": None, "c": {"d": [], "e": {}}, "f": False})) == []
    assert list(differing({"a": {"b": 1}}, {"a": None})) == [("a.b", 1, None)]
    assert list(differing({"a": (1, 2)}, {"a": [1, 2]})) == []


def test_a_folder_of_the_same_name_on_another_machine_is_taken_for_a_copy() -> None:
    here, there = with_model(name_or_path="/home/a/my-model"), with_model(name_or_path="/runner/my-model")
    found = likeness(here, there)
    assert (found.obstacles, found.other_reference) == ((), ())
    assert found.notes[0].endswith("assumed to be copies of each other")
    assert likeness(here, with_model(name_or_path="/home/a/other")).obstacles
    assert likeness(with_model(name_or_path="hub/a"), with_model(name_or_path="other/a")).obstacles


def test_other_devices_round_differently() -> None:
    old = report()
    gpu = replace(old, environment=replace(old.environment, device="cuda", device_name="NVIDIA H100"))
    other = replace(old, environment=replace(old.environment, device="cuda", device_name="NVIDIA A100"))
    assert likeness(old, gpu).other_reference == ("device",)
    assert likeness(gpu, other).notes == (
        "device: NVIDIA H100 in the old report, NVIDIA A100 in the new; their kernels round differently",
    )


def test_other_versions_and_another_architecture_are_told() -> None:
    old = report()
    assert old.model is not None
    new = replace(
        old,
        accumcheck_version="9.9.0",
        environment=replace(old.environment, torch="2.14.0", transformers="5.0.0"),
        model=replace(old.model, parameters=1_243_777),
    )
    found = likeness(old, new)
    assert (found.obstacles, found.other_reference) == ((), ())
    assert found.notes == (
        "torch: 2.13.0 in the old report, 2.14.0 in the new",
        "accumcheck: 0.1.0 in the old report, 9.9.0 in the new",
        "the model has 1,243,776 parameters in the old report and 1,243,777 in the new: the architecture differs, "
        "so the same seed gives different weights",
    )


def test_without_a_common_split_there_is_nothing_to_compare() -> None:
    old = report()
    new = replace(old, splits=(examples.split("2x64x1", control=True),))
    assert likeness(old, new).obstacles == (
        "splits: 1x128x1, 4x16x2, 4x1x32 in the old report, 2x64x1 in the new; no split is in both",
    )
