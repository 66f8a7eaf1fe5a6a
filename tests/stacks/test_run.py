"""Whether a program has trained under its split, and what it is told where it has not."""

from __future__ import annotations

import pytest

from accumcheck.errors import RefusedError
from accumcheck.record import Split
from accumcheck.stacks.programs.handover import COMMAND_LINE
from accumcheck.stacks.programs.run import check_split_was_followed


def refusal(split: Split, ways: list[str], sizes: list[int]) -> str:
    with pytest.raises(RefusedError) as raised:
        check_split_was_followed(split, ways, [range(size) for size in sizes])
    return str(raised.value)


def test_the_right_micro_batches_are_the_split() -> None:
    check_split_was_followed(Split(2, 4, 2), [], [range(4), range(4)])


def test_one_that_was_handed_the_numbers_and_steps_elsewhere_is_not_refused() -> None:
    check_split_was_followed(Split(1, 2, 4), [COMMAND_LINE], [range(2)])


def test_one_that_was_handed_nothing_is_told_how() -> None:
    found = refusal(Split(1, 2, 4), [], [2])
    assert "its first step had 1 micro-batches of 2 rows, but 1x2x4 needs 4 of 2" in found
    assert "'{gradient_accumulation_steps*num_processes}'" in found
    assert "is fixed" not in found


@pytest.mark.parametrize(
    ("split", "sizes", "offered"),
    [
        (Split(1, 8, 1), [2], "splits: [1x2x4, 2x2x2, 4x2x1]"),
        (Split(2, 6, 1), [4, 4], "splits: [1x4x3]"),
    ],
)
def test_a_fixed_batch_size_lets_the_others_vary(split: Split, sizes: list[int], offered: str) -> None:
    found = refusal(split, [], sizes)
    assert f"if its batch size is fixed at {sizes[0]}, vary only n and k, for example {offered}" in found


@pytest.mark.parametrize("sizes", [[3], [2, 3], []])
def test_sizes_that_make_up_no_global_batch_are_not_called_fixed(sizes: list[int]) -> None:
    assert "is fixed" not in refusal(Split(1, 8, 1), [], sizes)
