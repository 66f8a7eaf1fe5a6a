"""Which samples belong to which step of whole epochs: worked out by hand."""

from __future__ import annotations

from pathlib import Path

from accumcheck.record import MicroBatch
from accumcheck.runfolder.membership import drawn_order, global_batches, unapplied_order
from accumcheck.runfolder.steps import SeenStep, write_steps, write_unapplied

EPOCHS = [[3, 0, 4, 1, 2], [1, 2, 3, 4, 0]]


def due(steps: list[list[int]], rest: list[int] | None = None) -> list[list[int]]:
    return global_batches(steps, rest or [], size=2, samples=5, epochs=2)


def test_each_epoch_ends_with_a_step_of_what_is_left() -> None:
    right = [[3, 0], [4, 1], [2], [1, 2], [3, 4], [0]]
    assert due([[3, 0], [4, 1], [2], [1, 2], [3, 4], [0]]) == right
    assert due([[3, 0], [4, 1], [2, 1], [2, 3]], [4, 0]) == right  # a step that runs on into the next epoch


def test_samples_repeated_to_fill_a_micro_batch_are_left_out() -> None:
    assert due([[3, 0], [4, 1], [2, 3], [1, 2], [3, 4], [0, 1]]) == [[3, 0], [4, 1], [2], [1, 2], [3, 4], [0]]


def test_what_was_never_fed_belongs_to_the_end_of_the_epoch() -> None:
    assert due([[3, 0], [4, 1], [1, 2], [3, 4]]) == [[3, 0], [4, 1], [2], [1, 2], [3, 4], [0]]
    assert due([[3, 0], [4, 1]]) == [[3, 0], [4, 1], [2], [0, 1], [2, 3], [4]]  # nothing of the second epoch was seen


def test_the_order_drawn_is_read_across_processes(tmp_path: Path) -> None:
    folder = tmp_path / "2x2x2"
    folder.mkdir()
    views = {0: [[[7, 3], [1, 0]]], 1: [[[2, 5], [4, 6]]]}
    for rank, steps in views.items():
        write_steps(
            folder, rank, [SeenStep(1.0, tuple(MicroBatch(rank, tuple(fed)) for fed in step)) for step in steps]
        )
    write_unapplied(folder, 1, [MicroBatch(1, (8, 9))])
    assert drawn_order(folder) == [[7, 3, 2, 5, 1, 0, 4, 6]]
    assert unapplied_order(folder) == [8, 9]
