"""What backward passes have made, beside what is applied; every number is made by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from accumcheck.judge.measure.backward import added_to_all, backward_of, before_clips_by_hand, clipped_by_hand
from accumcheck.record import Coordinates, MicroBatch, Split, SplitObservation, StepObservation, TrainedRecord

WIDTH = 6
PLACES = Coordinates(("head", "norm"), (4, 2), (0, 4), WIDTH)
FIRST, SECOND = np.arange(1.0, 7.0), np.array([2.0, -1.0, 0.0, 4.0, 1.0, -3.0])


def split(
    applied: Sequence[np.ndarray], added: Sequence[dict[int, list[np.ndarray]]], *, lacking: tuple[str, ...] = ()
) -> SplitObservation:
    """One step each: the applied gradient, and by process what its micro-batches added."""
    processes = len(added[0])
    steps = tuple(
        StepObservation(
            step=at + 1,
            loss=1.0,
            logged_grad_norm=None,
            grad_norms=dict.fromkeys(range(processes), float(np.linalg.norm(gradient))),
            micro_batches=tuple(MicroBatch(process, (0,)) for process in each for _ in each[process]),
            gradients=dict.fromkeys(range(processes), gradient),
            contributions={process: np.stack(parts) for process, parts in each.items()},
        )
        for at, (gradient, each) in enumerate(zip(applied, added, strict=True))
    )
    trained = TrainedRecord(PLACES, lacking, np.arange(WIDTH))
    return SplitObservation(Split(processes, 1, len(added[0][0])), "ran", steps=steps, trained=trained)


def test_the_sum_of_micro_batches_is_what_is_applied() -> None:
    (one,) = backward_of(split([FIRST + SECOND], [{0: [FIRST, SECOND]}])) or []
    assert (one.times, one.left) == (pytest.approx(1.0), pytest.approx(0.0))
    assert one.made.tolist() == (FIRST + SECOND).tolist()


@pytest.mark.parametrize("applied", [(FIRST + SECOND) / 2, FIRST + SECOND])
def test_processes_are_averaged_or_summed(applied: np.ndarray) -> None:
    (one,) = backward_of(split([applied], [{0: [FIRST], 1: [SECOND]}])) or []
    assert one.times == pytest.approx(1.0)


def test_a_gradient_that_is_halved_is_half_of_what_was_made() -> None:
    (one,) = backward_of(split([FIRST / 2], [{0: [FIRST]}])) or []
    assert (one.times, one.left) == (pytest.approx(0.5), pytest.approx(0.0))


def test_what_no_optimizer_holds_is_not_made() -> None:
    applied = np.concatenate([FIRST[:4], [0.0, 0.0]])
    (one,) = backward_of(split([applied], [{0: [FIRST]}], lacking=("norm",))) or []
    assert one.left == pytest.approx(0.0)


def test_nothing_is_known_where_a_process_was_not_seen() -> None:
    both = split([FIRST], [{0: [FIRST], 1: [FIRST]}])
    lost = both.steps[0].contributions.pop(1)
    assert lost is not None
    assert backward_of(both) is None


def clipped(limits: Sequence[float]) -> list[float]:
    """Steps of other sizes, each scaled to a norm."""
    made = [FIRST, SECOND * 3]
    applied = [one * limit / np.linalg.norm(one) for one, limit in zip(made, limits, strict=True)]
    return clipped_by_hand(backward_of(split(applied, [{0: [one]} for one in made])) or [], "float32")


def test_one_norm_in_all_steps_is_a_clip() -> None:
    assert clipped([0.5, 0.5]) == pytest.approx([0.5 / np.linalg.norm(FIRST), 0.5 / np.linalg.norm(SECOND * 3)])


def test_other_norms_are_no_clip() -> None:
    assert clipped([0.5, 0.6]) == [1.0, 1.0]


def test_one_factor_in_all_steps_is_no_clip() -> None:
    seen = backward_of(split([FIRST / 2, FIRST[::-1] / 2], [{0: [FIRST]}, {0: [FIRST[::-1]]}])) or []
    assert clipped_by_hand(seen, "float32") == [1.0, 1.0]


def test_what_is_added_to_every_gradient_alike_is_found() -> None:
    decay = np.array([0.1, 0.2, -0.1, 0.0, 0.3, 0.1])
    found = added_to_all(split([FIRST + decay, SECOND + decay], [{0: [FIRST]}, {0: [SECOND]}]), PLACES, "float32")
    assert found is not None
    assert found.tolist() == pytest.approx(decay.tolist())


@pytest.mark.parametrize(
    "applied",
    [
        [FIRST, SECOND],  # nothing is added
        [FIRST / 2, SECOND / 2],  # a factor
        [FIRST, SECOND + FIRST],  # the step before
    ],
)
def test_what_is_another_thing_in_each_step_is_not_called_added(applied: list[np.ndarray]) -> None:
    assert added_to_all(split(applied, [{0: [FIRST]}, {0: [SECOND]}]), PLACES, "float32") is None


def test_one_step_alone_does_not_tell_what_is_added() -> None:
    assert added_to_all(split([FIRST + 1], [{0: [FIRST]}]), PLACES, "float32") is None


def test_gradients_are_those_before_a_clip_that_the_program_writes() -> None:
    made = [FIRST, SECOND * 3]
    applied = [one * 0.5 / np.linalg.norm(one) for one in made]
    found = before_clips_by_hand(split(applied, [{0: [one]} for one in made]), "float32")
    for step, right in zip(found.steps, made, strict=True):
        assert step.gradients[0].tolist() == pytest.approx(right.tolist())
        assert step.grad_norms[0] == pytest.approx(np.linalg.norm(right))
        assert step.clip_coefficient == pytest.approx(0.5 / np.linalg.norm(right))
    half = split([FIRST / 2, SECOND / 2], [{0: [FIRST]}, {0: [SECOND]}])
    assert before_clips_by_hand(half, "float32") == half
