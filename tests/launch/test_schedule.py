"""Which jobs run now, and which first."""

from __future__ import annotations

from accumcheck.launch.schedule import Slots, running_order, take_fitting


def test_jobs_take_the_first_free_slots_and_wait_where_there_are_too_few() -> None:
    slots = Slots(3)
    assert slots.take("1x4x1", 1) == (0,)
    assert slots.take("2x2x1", 2) == (1, 2)
    assert slots.take("1x2x2", 1) is None
    slots.release("1x4x1")
    assert slots.free == (0,)
    assert slots.take("2x1x2", 2) is None
    assert slots.take("1x2x2", 1) == (0,)


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
