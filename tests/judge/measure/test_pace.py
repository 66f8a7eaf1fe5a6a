"""How often a schedule is stepped for each optimizer step, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accumcheck.judge.measure.pace import pace_of, stands_still
from accumcheck.record import Split, SplitObservation
from tests.judge.runs import observe, right


def run(*positions: tuple[int, ...], after: tuple[int, ...] = ()) -> SplitObservation:
    made = observe(Split.parse("1x2x4"), right)
    step = made.steps[0]
    steps = tuple(replace(step, schedule_steps=one, schedule_steps_after=after) for one in positions)
    return replace(made, steps=steps)


@pytest.mark.parametrize(
    ("split", "pace", "still"),
    [
        (run((0,), (1,), (2,)), 1.0, False),
        (run((0, 0), (0, 4), (0, 8)), 4.0, False),  # one of two schedules moves
        (run((0,), (0,)), None, True),
        (run((0,), after=(2,)), 2.0, False),  # a single step
        (run((0,), after=()), None, False),  # the program has ended, and its schedule with it
        (run((), ()), None, False),  # no schedule
        (run((0,), (1, 1)), None, False),  # another one was made in between
        (run(), None, False),
    ],
)
def test_the_pace_is_that_of_the_first_schedule_that_moves(
    split: SplitObservation, pace: float | None, still: bool
) -> None:
    assert pace_of(split) == pace
    assert stands_still(split) is still
