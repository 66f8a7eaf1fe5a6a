"""What planted faults are made of: shares and places of micro-batches, worked out by hand."""

from __future__ import annotations

import pytest

from accumcheck.record import Split
from accumcheck.stacks.faulty.context import MicroBatchContext
from accumcheck.stacks.faulty.faults import FAULTS, fault_of

TOKENS = [3, 1, 4, 2, 5, 5, 2, 8]
"""Predicted tokens: 10 in step 1, and 20 in step 2."""


def context(step: int, place: int, fed: list[int], process: int = 0) -> MicroBatchContext:
    """Steps of 4 samples under 2x1x2: process 0 sees 0 and 2 of step 1."""
    steps = [[0, 1, 2, 3], [4, 5, 6, 7]]
    device = [sample for at, sample in enumerate(steps[step - 1]) if at % 2 == process]
    labels = [count + 1 for count in TOKENS]
    return MicroBatchContext(Split.parse("2x1x2"), TOKENS, labels, steps, step, process, device, fed, place)


@pytest.mark.parametrize(
    ("fault", "step", "place", "fed", "expected"),
    [
        ("none", 1, 1, [2], 4 / 10 * 2),
        ("times-k", 1, 1, [2], 4 / 10 * 2 * 2),
        ("over-n", 1, 1, [2], 4 / 10),
        ("half", 1, 1, [2], 4 / 10),
        ("device-mean", 1, 1, [2], 4 / 7),
        ("unshifted-count", 1, 1, [2], 4 / 14 * 2),
        ("unshifted-device", 1, 1, [2], 4 / 9),
        ("mean-of-means", 1, 1, [2], 1 / 2),
        ("count-kept", 1, 1, [2], 4 / 10 * 2),
        ("count-kept", 2, 1, [4], 5 / 30 * 2),
        ("later-times-k", 1, 1, [2], 4 / 10 * 2),
        ("later-times-k", 2, 1, [4], 5 / 20 * 2 * 2),
        ("first-microbatch", 1, 1, [0], 3 / 10 * 2),
        ("first-microbatch", 1, 2, [2], 0.0),
        ("window-partial", 1, 2, [2], 0.0),
        ("weight-error=0.5", 1, 2, [3], 2 / 10 * 2 * 1.5),
        ("weight-error=0.5", 1, 2, [2], 4 / 10 * 2),
    ],
)
def test_a_micro_batch_is_weighted(fault: str, step: int, place: int, fed: list[int], expected: float) -> None:
    assert fault_of(fault).gradient(context(step, place, fed)) == pytest.approx(expected)


def test_a_process_that_is_not_heard_is_the_second() -> None:
    gradient = FAULTS["unheard-process"].gradient
    assert gradient(context(1, 1, [1], process=1)) == 0
    assert gradient(context(1, 1, [0])) == pytest.approx(3 / 10 * 2)


def test_a_fault_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError):
        fault_of("none-such")
