"""Which splits run at the same time, from small machines to 1,024 GPUs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from accumcheck.config.devices import AssumedDevices
from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.plan import Plan, make_plan
from accumcheck.launch.side_by_side import lines_of, rounds_of
from accumcheck.record import Split


def plan_of(
    splits: list[str], devices: int, launcher: str = "{}", model: str = "model: {config: {model_type: llama}}"
) -> Plan:
    size = Split.parse(splits[0]).global_batch_size
    text = f"{model}\nglobal_batch_size: {size}\nsplits: [{', '.join(splits)}]\nlauncher: {launcher}\n"
    return make_plan(read_config(text, Place("check.yaml"), Path.cwd()), devices)


def gpus(count: int) -> AssumedDevices:
    return AssumedDevices("cuda", count, "given")


def test_narrow_splits_share_and_the_reference_starts_once_the_control_has_ended() -> None:
    plan = plan_of(["1x8x1", "1x2x4", "2x4x1", "4x2x1", "8x1x1"], 4)
    assert rounds_of(plan, gpus(4)) == [
        [("1x8x1", (0,)), ("1x2x4", (1,)), ("2x4x1", (2, 3))],
        [("reference", (0,))],
        [("4x2x1", (0, 1, 2, 3))],
    ]


def test_the_reference_of_a_program_needs_what_every_split_was_fed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    program = f"stack: script\nscript: {{path: {tmp_path}/train.py}}"
    rounds = rounds_of(plan_of(["1x8x1", "1x2x4"], 1, model=program), gpus(1))
    assert rounds == [[("1x8x1", (0,))], [("1x2x4", (0,))], [("reference", (0,))]]


def test_oversubscribed_splits_run_alone_on_all_devices_and_others_are_left_out() -> None:
    splits = ["1x8x1", "4x2x1"]
    assert rounds_of(plan_of(splits, 2), gpus(2)) == [[("1x8x1", (0,))], [("reference", (0,))]]
    rounds = rounds_of(plan_of(splits, 2, "{oversubscribe: true}"), gpus(2))
    assert rounds == [[("1x8x1", (0,))], [("reference", (0,))], [("4x2x1", (0, 1))]]


def test_on_several_machines_jobs_follow_each_other() -> None:
    plan = plan_of(["1x48x1", "8x6x1", "3x16x1"], 8, "{nnodes: 2, rdzv_endpoint: 'a:1'}")
    devices = gpus(8)
    assert lines_of(rounds_of(plan, devices), devices, plan.config) == [
        "1. 1x48x1 on GPU 0 of node 0",
        "2. reference on GPU 0 of node 0",
        "3. 3x16x1 on GPUs 0-2 of node 0",
        "4. 8x6x1 on GPUs 0-3 of each of 2 nodes",
    ]


def test_words_for_cores_and_for_devices_that_are_not_neighbours() -> None:
    plan = plan_of(["1x4x1", "2x2x1"], 4)
    cores = AssumedDevices("cpu", 4, "given")
    assert lines_of([[("1x4x1", (0,)), ("2x2x1", (1, 2))], [("4x1x1", (0, 1, 2, 3, 4))]], cores, plan.config) == [
        "1. 1x4x1 on 1 core, 2x2x1 on 2 cores",
        "2. 4x1x1 on 4 cores",
    ]
    assert lines_of([[("2x2x1", (0, 3))]], gpus(4), plan.config) == ["1. 2x2x1 on GPUs 0,3"]


GLOBAL_BATCH = 2**12 * 3**3
DIVISORS = [one for one in range(1, GLOBAL_BATCH + 1) if GLOBAL_BATCH % one == 0]


@pytest.mark.parametrize("seed", range(3))
def test_1024_gpus_and_200_splits(seed: int) -> None:
    rng = random.Random(seed)
    splits: set[Split] = set()
    while len(splits) < 200:
        n = rng.choice([one for one in DIVISORS if one <= 1024])
        b = rng.choice([one for one in DIVISORS if GLOBAL_BATCH // n % one == 0])
        splits.add(Split(n, b, GLOBAL_BATCH // n // b))
    plan = plan_of([str(split) for split in splits], 1024)
    rounds = rounds_of(plan, gpus(1024))
    assert sorted(name for jobs in rounds for name, _ in jobs) == sorted([*map(str, splits), "reference"])
    sizes = {"reference": 1} | {str(split): split.num_processes for split in splits}
    free = 0
    for jobs in rounds:
        devices = [device for _, taken in jobs for device in taken]
        assert len(devices) == len(set(devices))
        assert set(devices) <= set(range(1024))
        assert [len(taken) for _, taken in jobs] == [sizes[name] for name, _ in jobs]
        first = next((sizes[name] for name, _ in jobs if name != "reference"), 1024)
        assert first > free  # else it could have run in the round before
        free = 1024 - len(devices)
