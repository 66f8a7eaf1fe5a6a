"""Which splits ``auto`` gives, which one is the control, and how many devices are assumed."""

import os
from pathlib import Path
from typing import Any

import pytest

from accumcheck.config.batch import batch_of
from accumcheck.config.devices import AssumedDevices, assume_devices
from accumcheck.config.model import CheckConfig, LauncherConfig, ModelConfig
from accumcheck.config.plan import make_plan
from accumcheck.config.splits import auto_splits, control_of
from accumcheck.errors import ConfigError
from accumcheck.record import Split


@pytest.mark.parametrize(
    ("batch", "devices", "expected"),
    [
        (1, 8, "1x1x1"),
        (2, 1, "1x2x1 1x1x2"),
        (7, 8, "1x7x1 1x1x7"),
        (8, 1, "1x8x1 1x2x4 1x1x8"),
        (8, 2, "1x8x1 1x2x4 1x1x8 2x4x1 2x1x4 2x2x2"),
        (8, 3, "1x8x1 1x2x4 1x1x8 2x4x1 2x1x4 2x2x2"),
        (8, 8, "1x8x1 1x2x4 1x1x8 8x1x1 2x2x2"),
        (9, 4, "1x9x1 1x3x3 1x1x9"),
        (12, 8, "1x12x1 1x3x4 1x1x12 4x3x1 4x1x3 2x2x3"),
        (14, 4, "1x14x1 1x2x7 1x1x14 2x7x1 2x1x7"),
        (128, 4, "1x128x1 1x8x16 1x1x128 4x32x1 4x1x32 2x8x8"),
    ],
)
def test_auto_splits(batch: int, devices: int, expected: str) -> None:
    assert " ".join(str(split) for split in auto_splits(batch, devices)) == expected


def test_every_process_is_a_replica_that_sees_samples_of_its_own() -> None:
    split = Split(4, 16, 2)
    assert (split.replicas, split.global_batch_size) == (4, 128)


@pytest.mark.parametrize("splits", [["2x3x4"], ["1x24x1", {"n": 2, "b": 12, "k": 1}, Split(3, 2, 4)]])
def test_splits_say_what_their_global_batch_is(splits: list[Any]) -> None:
    assert batch_of(splits) == 24


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (None, "splits: missing; give for example splits=['1x8x1', '1x2x4'] (n x b x k), or global_batch_size"),
        ("auto", "splits: found 'auto'; give for example splits=['1x8x1', '1x2x4'] (n x b x k), or global_batch_size"),
        (["1x8x1", "1x2x4", "1x2x2"], "splits: 1x8x1 of 8, 1x2x2 of 4 samples; all splits of a check have the same "),
        (["1x8"], "splits: splits[0]: found '1x8' (text); expected n x b x k, for example 4x16x2, with n"),
        ([], "splits: splits: found a list; expected auto or a list of 1 to 256 splits, for example [1x8x1, 2x2x2]"),
    ],
)
def test_splits_that_do_not_say_what_their_global_batch_is(splits: Any, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        batch_of(splits)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("devices", [1, 2, 3, 4, 8])
def test_auto_splits_are_few_exact_and_none_twice(devices: int) -> None:
    for batch in range(1, 200):
        splits = auto_splits(batch, devices)
        assert splits[0] == control_of(splits) == Split(1, batch, 1)
        assert Split(1, 1, batch) in splits
        assert len(set(splits)) == len(splits) <= 6
        assert all(split.global_batch_size == batch and split.num_processes <= devices for split in splits)


def test_auto_splits_of_a_huge_batch_take_no_time() -> None:
    assert auto_splits(10**9, 1)[1] == Split(1, 31250, 32000)


def test_auto_splits_ask_for_positive_numbers() -> None:
    with pytest.raises(ValueError, match="global_batch_size and devices must be positive, not 8 and 0"):
        auto_splits(8, 0)


@pytest.mark.parametrize(
    ("splits", "control"),
    [
        ("1x1x8 2x4x1 1x8x1", "1x8x1"),
        ("4x16x2 4x8x4 8x1x16 4x1x32", "4x16x2"),
        ("8x8x2 4x16x2", "4x16x2"),
        ("2x1x2 2x3x2", "2x3x2"),
    ],
)
def test_the_control_has_fewest_steps_then_fewest_processes_then_the_larger_batch(splits: str, control: str) -> None:
    assert str(control_of([Split.parse(split) for split in splits.split()])) == control


def test_the_plan() -> None:
    model = ModelConfig(name_or_path="gpt2")
    plan = make_plan(CheckConfig(model, 8, None), devices=1)
    assert plan.config.splits == plan.splits == (Split(1, 8, 1), Split(1, 2, 4), Split(1, 1, 8))
    assert plan.control == Split(1, 8, 1)
    assert plan.rows()[1] == {
        "split": "1x2x4",
        "num_processes": 1,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "samples_per_step": 8,
        "is_control": False,
    }
    given = make_plan(CheckConfig(model, 8, (Split(1, 1, 8), Split(4, 2, 1))), devices=0)
    assert [row["is_control"] for row in given.rows()] == [False, True]
    assert make_plan(CheckConfig(model, 3, None), devices=0).splits == (Split(1, 3, 1), Split(1, 1, 3))


# --- devices ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)


def device_folder(folder: Path, gpus: int) -> Path:
    for name in ("nvidiactl", "nvidia-uvm", *(f"nvidia{i}" for i in range(gpus))):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("visible", "count"), [("0,1,2", 3), ("3", 1), ("GPU-8932f937,MIG-1234", 2), ("0,-1,1", 1), ("", 0), ("-1", 0)]
)
def test_the_environment_says_which_gpus_are_visible(tmp_path: Path, visible: str, count: int) -> None:
    found = assume_devices(LauncherConfig(device="cuda"), {"CUDA_VISIBLE_DEVICES": visible}, device_folder(tmp_path, 8))
    assert found == AssumedDevices("cuda", count, f"CUDA_VISIBLE_DEVICES={visible}")


def test_else_their_device_files_are_counted(tmp_path: Path) -> None:
    found = assume_devices(LauncherConfig(), {}, device_folder(tmp_path, 4))
    assert found == AssumedDevices("cuda", 4, f"{tmp_path}/nvidia[0-9]*")


@pytest.mark.usefixtures("two_cores")
def test_without_gpus_cores_are_counted(tmp_path: Path) -> None:
    assert assume_devices(LauncherConfig(), {}, device_folder(tmp_path, 0)) == AssumedDevices("cpu", 2, "2 CPU cores")
    assert assume_devices(LauncherConfig(device="cpu"), {}, device_folder(tmp_path, 4)).kind == "cpu"
    assert assume_devices(LauncherConfig(device="cuda"), {}, tmp_path / "none").count == 0


def test_many_cores_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    assert assume_devices(LauncherConfig(), {}, tmp_path) == AssumedDevices(
        "cpu", 8, "64 CPU cores, of which 8 are used"
    )


def test_several_machines_are_taken_to_be_alike(tmp_path: Path) -> None:
    launcher = LauncherConfig(nnodes=2, rdzv_endpoint="node0:29400")
    found = assume_devices(launcher, {}, device_folder(tmp_path, 4))
    assert found == AssumedDevices("cuda", 8, f"{tmp_path}/nvidia[0-9]*, on 2 machines")
