"""Events of a training loop in, optimizer steps out: each case is a loop that somebody writes."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.capture.clipping import Clip
from accumcheck.capture.losses import Watched
from accumcheck.capture.windows import Call, Closed, Group, Window, micro_batches_of


def forward(window: Window, *rows: int, module: int = 0, used: bool | None = True) -> None:
    window.call(Call(module, rows, Watched(used=used)))


def fed(closed: Closed, k: int) -> list[tuple[int, ...]]:
    return [part.rows for part in micro_batches_of(closed.groups, k)]


def test_a_step_takes_what_was_fed_since_the_step_before() -> None:
    window = Window()
    for rows in ((0, 1), (2, 3)):
        forward(window, *rows)
        window.backward()
    window.step("sgd")
    forward(window, 4, 5)
    assert fed(window.close(), 2) == [(0, 1), (2, 3)]
    window.backward()
    window.step("sgd")
    assert fed(window.close(), 2) == [(4, 5)]


def test_two_losses_of_one_micro_batch_are_one_micro_batch() -> None:
    window = Window()
    for rows in ((0, 1), (0, 1), (2, 3), (2, 3)):
        forward(window, *rows)
        window.backward()
    window.step("sgd")
    assert fed(window.close(), 2) == [(0, 1), (2, 3)]


def test_one_micro_batch_fed_again_and_again_is_not_taken_for_one() -> None:
    window = Window()
    for _ in range(4):
        forward(window, 0)
        window.backward()
    window.step("sgd")
    assert fed(window.close(), 4) == [(0,), (0,), (0,), (0,)]


def test_losses_that_are_added_up_before_one_backward_are_as_many_micro_batches() -> None:
    window = Window()
    for rows in ((0,), (1,), (2,)):
        forward(window, *rows)
    window.backward()
    window.step("sgd")
    assert fed(window.close(), 3) == [(0,), (1,), (2,)]


def test_a_forward_that_no_gradient_comes_back_to_feeds_nothing() -> None:
    window = Window()
    forward(window, 7, 8, used=False)
    forward(window, 0, 1)
    window.backward()
    window.step("sgd")
    assert fed(window.close(), 1) == [(0, 1)]


def test_modules_that_are_fed_by_others_add_no_rows() -> None:
    window = Window()
    forward(window, 0, 1)
    forward(window, module=1)
    window.backward()
    window.step("sgd")
    assert fed(window.close(), 1) == [(0, 1)]


def test_two_optimizers_may_step_in_one_window() -> None:
    window = Window()
    forward(window, 0)
    window.backward()
    window.step("muon")
    window.step("adamw")
    assert window.stepped("muon")
    assert not window.stepped("sgd")
    assert fed(window.close(), 1) == [(0,)]
    assert not window.has_stepped


def test_a_clip_after_the_last_backward_is_the_steps_and_one_before_it_is_within_the_window() -> None:
    first, last = Clip("norm", 1.0, 0.5, "train.py:10"), Clip("norm", 1.0, 0.25, "train.py:20")
    window = Window()
    forward(window, 0)
    window.backward()
    window.clipped(first)
    forward(window, 1)
    window.backward()
    window.clipped(last)
    window.step("sgd")
    closed = window.close()
    assert closed.clips == (last,)
    assert closed.clipped_within == (first,)


def test_what_hooks_cannot_see_counts_at_every_forward() -> None:
    window = Window()
    window.sees_gradients = False
    for rows in ((0, 1), (2, 3)):
        forward(window, *rows, used=None)
    window.step("sgd")
    assert fed(window.close(), 2) == [(0, 1), (2, 3)]


def test_groups_that_are_no_multiple_of_the_accumulation_steps_stay_as_they_are() -> None:
    groups = [Group([Call(0, (row,), Watched(used=True))], backward=True) for row in range(3)]
    assert [part.rows for part in micro_batches_of(groups, 2)] == [(0,), (1,), (2,)]


def test_forwards_before_one_backward_are_joined_to_one_micro_batch() -> None:
    window = Window()
    for rows in ((0, 1), (4, 5), (8, 9)):  # anchors, positives, negatives
        forward(window, *rows)
    window.backward()
    window.step("sgd")
    joined: list[tuple[tuple[int, ...], ...]] = []

    def join(parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        joined.append(tuple(parts))
        return (100, 101)

    assert [part.rows for part in micro_batches_of(window.close().groups, 1, join)] == [(100, 101)]
    assert joined == [((0, 1), (4, 5), (8, 9))]


def test_what_two_optimizers_are_fed_one_after_the_other_are_the_same_micro_batches() -> None:
    window = Window()
    for phase in ("discriminator", "generator"):
        for rows in ((0, 1), (2, 3)):
            forward(window, *rows)
            window.backward()
        window.step(phase)
    parts = micro_batches_of(window.close().groups, 2)
    assert [(part.rows, part.groups) for part in parts] == [((0, 1), (0, 2)), ((2, 3), (1, 3))]


def test_what_a_closure_made_before_is_dropped() -> None:
    window = Window()
    forward(window, 0)
    window.backward()
    begun = window.done
    for rows in ((1,), (2,)):
        forward(window, *rows)
        window.backward()
    assert window.drop(begun) == 2
    forward(window, 1)
    window.backward()
    window.step("lbfgs")
    assert fed(window.close(), 2) == [(0,), (1,)]
