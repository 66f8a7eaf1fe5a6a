"""What a Trainer's log says of its updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accumcheck.judge.detectors.logged_update import misreported_rate, missing_numbers
from accumcheck.record import Split, SplitObservation, StackBelief, StepObservation
from tests.judge.detectors.seen import evidence
from tests.judge.runs import SPLITS, observe, right

Change = Callable[[StepObservation], StepObservation]
TRAINER = StackBelief("Trainer", logs_own_rate=True)


def run(text: str, change: Change, belief: StackBelief | None) -> SplitObservation:
    made = observe(Split.parse(text), right)
    steps = (
        replace(step, learning_rates=(1e-3, 1e-3), logged_learning_rate=1e-3, logged_grad_norm=1.0)
        for step in made.steps
    )
    return replace(made, steps=tuple(change(step) for step in steps), belief=belief)


def found(
    change: Change, belief: StackBelief | None = TRAINER, arguments: dict[str, Any] | None = None
) -> list[tuple[str, str]]:
    seen = evidence([run(text, change, belief) for text in SPLITS], training_arguments=arguments or {})
    detected = [*misreported_rate(seen), *missing_numbers(seen)]
    for one in detected:
        assert one.finding.splits == SPLITS
        assert (one.failed, one.condemned) == (frozenset(), {})  # a log trains nothing
    return [(one.finding.id, str(one.finding.severity)) for one in detected]


def test_a_log_with_the_rate_and_the_norm_of_each_step_is_right() -> None:
    assert found(lambda step: step) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda step: replace(step, logged_learning_rate=5e-4), "logged-learning-rate"),
        (lambda step: replace(step, logged_learning_rate=None), "logged-learning-rate"),
        (lambda step: replace(step, logged_grad_norm=None), "logged-grad-norm"),
    ],
)
def test_another_rate_or_none_is_a_warning(change: Change, name: str) -> None:
    assert found(change) == [(name, "warn")]


def test_releases_that_log_the_next_rate_do_so_by_design() -> None:
    earlier = StackBelief("Trainer", logs_own_rate=False)
    assert found(lambda step: replace(step, logged_learning_rate=5e-4), earlier) == []


def test_a_loop_without_a_trainer_logs_what_it_likes() -> None:
    assert found(lambda step: replace(step, logged_learning_rate=None, logged_grad_norm=None), None) == []


def test_without_clipping_some_releases_compute_no_norm() -> None:
    def change(step: StepObservation) -> StepObservation:
        return replace(step, logged_grad_norm=None)

    assert found(change, arguments={"max_grad_norm": 0}) == []
    later = replace(TRAINER, logs_unclipped_norm=True)
    assert found(change, later, arguments={"max_grad_norm": 0}) == [("logged-grad-norm", "warn")]
    assert found(lambda step: step, later, arguments={"max_grad_norm": 0}) == []
