"""Clipping beside what max_grad_norm asks for, worked out by hand: the norm is 4, so that 1 makes it a quarter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from accumcheck.judge.detectors.asked_clipping import wrong_clipping
from accumcheck.record import Clipped, Split, SplitObservation, StepObservation
from tests.judge.detectors.seen import evidence
from tests.judge.runs import SPLITS, observe, right

NORM = 4.0
Change = Callable[[StepObservation], StepObservation]


def run(text: str, change: Change) -> SplitObservation:
    made = observe(Split.parse(text), right)
    steps = (
        replace(step, grad_norms=dict.fromkeys(step.grad_norms, NORM), learning_rates=(1e-3,), clips=1)
        for step in made.steps
    )
    return replace(made, steps=tuple(change(step) for step in steps))


def clipped(by: float) -> Change:
    return lambda step: replace(step, clip_coefficient=by)


def found(change: Change, limit: float | None, stack: str = "trainer") -> list[str]:
    arguments = {} if limit is None else {"max_grad_norm": limit}
    seen = evidence([run(text, change) for text in SPLITS], training_arguments=arguments, stack=stack)
    detected = list(wrong_clipping(seen))
    for one in detected:
        assert {str(split) for split in one.failed} == set(one.finding.splits) == set(SPLITS)
        assert one.condemned == {}  # their gradients are right
    return [one.finding.summary for one in detected]


@pytest.mark.parametrize(
    ("by", "limit"),
    [(0.25, 1.0), (0.25, None), (1.0, 0.0), (1.0, 4.5), (0.125, 0.5)],
)
def test_what_is_asked_for_is_right(by: float, limit: float | None) -> None:
    assert found(clipped(by), limit) == []


@pytest.mark.parametrize(
    ("by", "limit", "words"),
    [
        (1.0, 1.0, "is 1; max_grad_norm 1 makes it 0.25"),  # never clipped
        (1.0, None, "is 1; max_grad_norm 1 makes it 0.25"),
        (0.0, 0.0, "is 0; max_grad_norm 0 leaves it at 1"),  # 0 is never, and no limit
        (0.125, 1.0, "is 0.125; max_grad_norm 1 makes it 0.25"),  # by another norm
    ],
)
def test_what_is_not_is_named_in_every_split(by: float, limit: float | None, words: str) -> None:
    (summary,) = found(clipped(by), limit)
    assert words in summary


def test_a_program_may_clip_as_it_likes() -> None:
    assert found(clipped(1.0), 1.0, stack="script") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda step: replace(step, clips=2),  # something else clips as well
        lambda step: replace(step, clipped_within=Clipped("train.py:3", 0.5)),
        lambda step: replace(step, learning_rates=()),  # the update is not the user's own
    ],
)
def test_where_no_one_coefficient_is_due_nothing_is_said(change: Change) -> None:
    assert found(change, 1.0) == []


@pytest.mark.parametrize(("rounding", "wrong"), [(0.0, True), (1e-4, True), (2e-4, False)])
def test_torch_clips_by_its_own_rounded_norm(rounding: float, wrong: bool) -> None:
    def change(step: StepObservation) -> StepObservation:
        return replace(step, clip_coefficient=0.25 * (1 + 4.5e-4), norm_rounding=rounding)

    assert bool(found(change, 1.0)) == wrong
