"""Which jobs run now, and which first."""

from __future__ import annotations

from pathlib import Path

import pytest

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.launch.schedule import Slots, running_order, slots_of, take_fitting
from accumcheck.record import Split


def test_jobs_take_the_first_free_slots_and_wait_where_there_are_too_few() -> None:
    slots = Slots(3)
    assert slots.take("1x4x1", 1) == (0,)
    assert slots.take("2x2x1", 2) == (1, 2)
    assert slots.take("1x2x2", 1) is None
    slots.release("1x4x1")
    assert slots.free == (0,)
    assert slots.take("2x1x2", 2) is None
    assert slots.take("1x2x2", 1) == (0,)


def test_slots_are_given_back_once() -> None:
    """When the job's processes have said all, and again when they have ended: others may have them by then."""
    slots = Slots(1)
    assert slots.take("1x4x1", 1) == (0,)
    slots.release("1x4x1")
    assert slots.take("1x2x2", 1) == (0,)
    slots.release("1x4x1")
    assert slots.free == ()


def test_a_job_that_wants_more_than_there_are_runs_alone_on_all_of_them() -> None:
    slots = Slots(2)
    assert slots.take("1x4x1", 1) == (0,)
    assert slots.take("4x1x1", 4) is None
    slots.release("1x4x1")
    assert slots.take("4x1x1", 4) == (0, 1)
    assert slots.take("1x2x2", 1) is None


def test_where_jobs_run_alone_one_has_its_devices_and_the_others_wait() -> None:
    slots = Slots(8, alone=True)
    assert slots.take("8x1x1", 4) == (0, 1, 2, 3)  # four processes here, four on the other machine
    assert slots.take("2x4x1", 1) is None
    slots.release("8x1x1")
    assert slots.take("2x4x1", 1) == (0,)


def test_a_wide_job_that_does_not_fit_is_waited_for() -> None:
    waiting = [("1x8x1", 1), ("1x2x4", 1), ("4x2x1", 4), ("1x1x8", 1)]
    slots = Slots(4)
    assert take_fitting(waiting, slots) == [("1x8x1", (0,)), ("1x2x4", (1,))]
    assert waiting == [("4x2x1", 4), ("1x1x8", 1)]
    assert take_fitting(waiting, slots) == []
    slots.release("1x8x1")
    slots.release("1x2x4")
    assert take_fitting(waiting, slots) == [("4x2x1", (0, 1, 2, 3))]


def test_the_control_comes_first_then_narrow_splits_and_of_these_the_longest() -> None:
    splits = [("4x1x1", 4, 1), ("1x2x2", 1, 2), ("2x2x1", 2, 1), ("1x1x4", 1, 4), ("1x4x1", 1, 1)]
    assert running_order(splits, "2x2x1") == ["2x2x1", "1x1x4", "1x2x2", "1x4x1", "4x1x1"]


@pytest.mark.parametrize(
    ("kind", "count", "shrink", "free"),
    [
        ("cpu", 2, True, 4),
        ("cpu", 0, True, 3),  # not known
        ("cpu", 2, False, 2),  # needs the memory of its size
        ("cuda", 2, True, 2),  # a GPU has one process
    ],
)
def test_small_jobs_beyond_the_cores_fill_the_time_in_which_processes_start_and_end(
    kind: str, count: int, shrink: bool, free: int
) -> None:
    model = ModelConfig(config={"model_type": "llama"}, shrink=shrink)
    check = CheckConfig(model=model, global_batch_size=8, splits=(Split(1, 8, 1),))
    slots = slots_of(check, kind, count)
    assert len(slots.free) == free


def test_a_program_has_the_cores_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    text = "stack: script\nscript: {path: train.py}\nglobal_batch_size: 8\nsplits: [1x8x1]\n"
    check = read_config(text, Place("check.yaml"), tmp_path)
    assert len(slots_of(check, "cpu", 2).free) == 2
