"""Schedules that all splits share, and that are not what the training arguments ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accumcheck.judge.detectors.asked_schedule import wrong_schedule
from accumcheck.record import Split, SplitObservation
from accumcheck.record.observed import Schedule, TrainedRecord
from tests.judge.detectors.seen import evidence
from tests.judge.runs import SPLITS, STEPS, observe, reference, right

Pace = Callable[[Split], int]


def trained(text: str, pace: Pace, length: float | None = STEPS) -> SplitObservation:
    run = observe(Split.parse(text), right)
    numbers = {} if length is None else {"num_training_steps": length}
    made = Schedule("LambdaLR", "optimization.py:30", numbers)
    steps = tuple(
        replace(step, learning_rates=(1e-3,), schedule_steps=(at * pace(run.split),))
        for at, step in enumerate(run.steps)
    )
    return replace(run, steps=steps, trained=TrainedRecord(reference().coordinates, schedules=(made,)))


def found(pace: Pace, length: float | None = STEPS, stack: str = "trainer") -> dict[str, tuple[str, ...]]:
    detected = list(wrong_schedule(evidence([trained(text, pace, length) for text in SPLITS], stack=stack)))
    for one in detected:
        assert {str(split) for split in one.failed} == set(one.finding.splits)
        assert one.finding.source == "optimization.py:30"
    return {one.finding.id: one.finding.splits for one in detected}


def once(_: Split) -> int:
    return 1


def test_a_schedule_that_is_stepped_once_and_is_as_long_as_training_is_right() -> None:
    assert found(once) == {}


def test_one_that_is_never_stepped_or_twice_is_wrong_in_every_split() -> None:
    alone = tuple(text for text in SPLITS if 2 not in (Split.parse(text).num_processes, k_of(text)))
    assert found(lambda _: 0) == {"schedule-differs": SPLITS}
    by_name = found(lambda _: 2)
    assert by_name["schedule-differs"] == alone  # others are named after n or k, which are 2 there
    assert sorted(split for splits in by_name.values() for split in splits) == sorted(SPLITS)


def k_of(text: str) -> int:
    return Split.parse(text).gradient_accumulation_steps


def test_one_that_is_stepped_after_every_micro_batch_is_named_where_there_are_several() -> None:
    accumulating = tuple(text for text in SPLITS if k_of(text) > 1)
    assert found(lambda split: split.gradient_accumulation_steps) == {"schedule-times-k": accumulating}


def test_one_of_another_length_is_wrong_in_every_split() -> None:
    assert found(once, length=STEPS + 1) == {"schedule-differs": SPLITS}


def test_a_constant_rate_has_no_schedule() -> None:
    assert found(lambda _: 0, length=None) == {}


def test_a_program_may_step_its_schedules_as_it_likes() -> None:
    assert found(lambda _: 2, stack="script") == {}
