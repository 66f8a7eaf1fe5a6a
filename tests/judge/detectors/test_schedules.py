"""Learning rates beside the control's: n, k, the warm-up or the rate itself is to blame, or nothing is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from accumcheck.judge.detectors.schedules import differing_schedules
from accumcheck.record import Split, SplitObservation
from accumcheck.record.observed import Schedule, TrainedRecord
from tests.judge.detectors.seen import evidence, found_by
from tests.judge.runs import SPLITS, observe, reference, right

LENGTH = 100
BASE = 1e-3
Numbers = Callable[[Split], tuple[float, float, float, float]]
"""Of a split: how often the schedule is stepped for an update, its length, its warm-up, and the base."""


def linear(position: float, length: float, warmup: float, base: float) -> float:
    if position < warmup:
        return base * position / warmup
    return base * (1 - (position - warmup) / (length - warmup))


def trained(split: Split, numbers: Numbers) -> SplitObservation:
    pace, length, warmup, base = numbers(split)
    run = observe(split, right)
    made = Schedule("LambdaLR", "train.py:30", {"num_training_steps": length, "num_warmup_steps": warmup})
    steps = tuple(
        replace(step, learning_rates=(linear(at * pace, length, warmup, base),), schedule_steps=(int(at * pace),))
        for at, step in enumerate(run.steps)
    )
    return replace(run, steps=steps, trained=TrainedRecord(reference().coordinates, schedules=(made,)))


def found(numbers: Numbers) -> dict[str, tuple[str, ...]]:
    seen = evidence([trained(Split.parse(text), numbers) for text in SPLITS])
    detected = list(differing_schedules(seen))
    for one in detected:
        assert one.finding.severity == "fail"
        assert {str(split) for split in one.failed} == set(one.finding.splits)
        assert one.condemned == {}  # their gradients are right
    return {one.finding.id: one.finding.splits for one in detected}


def splits_with(what: Callable[[Split], bool]) -> tuple[str, ...]:
    return tuple(text for text in SPLITS if what(Split.parse(text)))


SEVERAL = splits_with(lambda split: split.num_processes > 1)
ACCUMULATING = splits_with(lambda split: split.gradient_accumulation_steps > 1)


def n(split: Split) -> int:
    return split.num_processes


def k(split: Split) -> int:
    return split.gradient_accumulation_steps


def test_the_runs_have_both_kinds() -> None:
    assert SEVERAL
    assert set(ACCUMULATING) - set(SEVERAL)


@pytest.mark.parametrize(
    "numbers",
    [
        lambda split: (1, LENGTH, 0, BASE),
        lambda split: (n(split), LENGTH * n(split), 10 * n(split), BASE),  # as accelerate's prepared schedules are
        lambda split: (k(split), LENGTH * k(split), 0, BASE),
    ],
)
def test_schedules_that_come_to_the_same_are_right(numbers: Numbers) -> None:
    assert found(numbers) == {}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (lambda split: (n(split), LENGTH, 0, BASE), {"schedule-times-n": SEVERAL}),
        (lambda split: (1, LENGTH * n(split), 0, BASE), {"schedule-times-n": SEVERAL}),
        (lambda split: (k(split), LENGTH, 0, BASE), {"schedule-times-k": ACCUMULATING}),
        (lambda split: (1, LENGTH * k(split), 0, BASE), {"schedule-times-k": ACCUMULATING}),
        (lambda split: (1, LENGTH / k(split), 0, BASE), {"schedule-times-k": ACCUMULATING}),
        (lambda split: (1, LENGTH, 10 * k(split), BASE), {"warmup-differs": ACCUMULATING}),
        (lambda split: (1, LENGTH, 0, BASE * n(split)), {"learning-rate-differs": SEVERAL}),
        (lambda split: (1, LENGTH + 7 * (k(split) > 1), 0, BASE), {"schedule-differs": ACCUMULATING}),
    ],
)
def test_what_depends_on_the_split_is_named(numbers: Numbers, expected: dict[str, tuple[str, ...]]) -> None:
    assert found(numbers) == expected


def test_a_length_that_no_step_shows_yet_is_found_by_its_number() -> None:
    # in the warm-up all learning rates are the same
    detected = found(lambda split: (1, LENGTH * k(split), 10, BASE))
    assert detected == {"schedule-times-k": ACCUMULATING}


def test_the_line_and_both_numbers_are_said() -> None:
    seen = evidence([trained(Split.parse(text), lambda split: (1, LENGTH * k(split), 0, BASE)) for text in SPLITS])
    (detected,) = differing_schedules(seen)
    assert detected.finding.source == "train.py:30"
    assert "with num_training_steps 400, but with 100 under the control" in detected.finding.explanation
    assert found_by([detected])[0][3] == {}


def test_optimizers_without_a_learning_rate_and_stacks_that_hold_theirs_say_nothing() -> None:
    def without(rates: tuple[float, ...]) -> dict[str, tuple[str, ...]]:
        runs = [observe(Split.parse(text), right) for text in SPLITS]
        runs = [replace(run, steps=tuple(replace(step, learning_rates=rates) for step in run.steps)) for run in runs]
        return {one.finding.id: one.finding.splits for one in differing_schedules(evidence(runs))}

    assert without((math.nan,)) == without(()) == {}


def test_a_constant_learning_rate_has_no_speed_and_is_a_warning() -> None:
    """As that of accelerate's schedules, which are stepped once for each process."""
    runs = [trained(Split.parse(text), lambda split: (n(split), LENGTH, 0, BASE)) for text in SPLITS]
    constant = [replace(run, steps=tuple(replace(step, learning_rates=(BASE,)) for step in run.steps)) for run in runs]
    detected = list(differing_schedules(evidence(constant)))
    assert [(one.finding.id, one.finding.severity, one.failed) for one in detected] == [
        ("schedule-times-n", "warn", frozenset())
    ]


def test_a_constant_schedule_may_be_stepped_as_often_as_it_is() -> None:
    # as accelerate steps the one that it prepares, once for every process
    def constant(text: str) -> SplitObservation:
        run = trained(Split.parse(text), lambda split: (n(split), LENGTH, 0, BASE))
        steps = tuple(replace(step, learning_rates=(BASE,)) for step in run.steps)
        made = replace(run.trained, schedules=(Schedule("LambdaLR", "train.py:30"),)) if run.trained else None
        return replace(run, steps=steps, trained=made)

    assert list(differing_schedules(evidence([constant(text) for text in SPLITS]))) == []
