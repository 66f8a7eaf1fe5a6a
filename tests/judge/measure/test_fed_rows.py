"""What the splits of a program were fed, beside the control."""

from __future__ import annotations

from accumcheck.judge.measure.fed_rows import Repeated, SplitRows, StepRows, compare_fed
from accumcheck.judge.measure.row_changes import Change
from accumcheck.record import Split
from tests.judge.rows import split_of, text

CONTROL = Split(1, 4, 1)
ROWS = {number: text(number + 10, number + 20, number + 30) for number in range(8)}
FIRST = [[(0, (0, 1, 2, 3))], [(0, (4, 5, 6, 7))]]


def fed(steps: list[list[tuple[int, tuple[int, ...]]]], rows: dict = ROWS, name: str = "1x1x4") -> SplitRows:  # type: ignore[type-arg]
    seen = [split_of("1x4x1", FIRST, ROWS), split_of(name, steps, rows)]
    return compare_fed(seen, CONTROL, None).of[Split.parse(name)]


def by_one(*steps: tuple[int, ...]) -> list[list[tuple[int, tuple[int, ...]]]]:
    return [[(0, (number,)) for number in step] for step in steps]


def test_the_controls_rows_in_any_order_are_right() -> None:
    found = fed(by_one((3, 1, 0, 2), (4, 5, 6, 7)))
    assert (found.steps, found.reordered) == ((), False)


def test_one_micro_batch_again_and_again() -> None:
    (step, _) = fed(by_one((0, 0, 0, 0), (4, 4, 4, 4))).wrong
    assert step == StepRows(1, 4, 4, repeated=(Repeated(0, 4, (0,)),), missing=(1, 2, 3), again=True)


def test_a_row_of_two_processes_is_one_that_both_were_fed() -> None:
    steps = [[(0, (0, 1)), (1, (1, 2))], [(0, (4, 5)), (1, (6, 7))]]
    (step,) = fed(steps, name="2x2x1").wrong
    assert (step.repeated, step.missing, step.again) == ((Repeated(1, 2, (0, 1)),), (3,), False)


def test_whole_steps_in_another_order_are_reordered() -> None:
    found = fed(by_one((4, 5, 6, 7), (0, 1, 2, 3)))
    assert found.reordered
    assert found.wrong[0].elsewhere == (2, 2, 2, 2)


def test_a_batch_that_is_skipped_is_no_reordering() -> None:
    rows = {**ROWS, 8: text(1, 2, 3)}
    found = fed(by_one((1, 2, 3, 4), (5, 6, 7, 8)), rows)
    assert not found.reordered
    first, second = found.wrong
    assert (first.elsewhere, first.missing) == ((2,), (0,))
    assert (second.unknown, second.missing) == ((0,), (0,))


def test_a_short_step_that_the_control_has_too_is_right() -> None:
    seen = [
        split_of("1x4x1", [FIRST[0], [(0, (4, 5))]], ROWS),
        split_of("1x1x4", by_one((0, 1, 2, 3), (4, 5)), ROWS),
    ]
    assert compare_fed(seen, CONTROL, None).of[Split(1, 1, 4)].steps == ()


def test_a_split_whose_data_end_earlier_has_fewer_steps() -> None:
    found = fed(by_one((0, 1, 2, 3)))
    assert (found.made, found.due, found.steps) == (1, 2, ())


def test_rows_with_other_contents_are_found_by_what_they_have_left() -> None:
    rows = {
        **{number: ROWS[number] for number in (1, 2, 3, 4, 5, 6, 7)},
        20: text(10, 20, 30, labels=(20, 30, -100)),
    }
    (step,) = fed([[(0, (20,)), (0, (1,)), (0, (2,)), (0, (3,))], *by_one((4, 5, 6, 7))], rows).wrong
    assert (step.missing, step.unknown) == ((), ())
    assert [(one.place, one.process, one.change) for one in step.changed] == [(0, 0, Change("field", ("labels",)))]


def test_a_row_that_is_padded_without_a_mask_takes_the_controls_number() -> None:
    rows = {**ROWS, 20: text(10, 20, 30, 0, labels=(10, 20, 30, -100))}
    seen = [split_of("1x4x1", FIRST, ROWS), split_of("1x2x2", [[(0, (20, 1)), (0, (2, 3))], FIRST[1]], rows)]
    found = compare_fed(seen, CONTROL, None)
    assert [batch.samples for batch in found.observations[1].steps[0].micro_batches] == [(0, 1), (2, 3)]
    (step,) = found.of[Split(1, 2, 2)].steps
    assert (step.others, [one.change.kind for one in step.soft]) == (False, ["padded"])


def test_items_that_are_equal_are_reordered_like_any_other() -> None:
    rows = {**ROWS, 3: ROWS[4]}  # the last of step 1 and the first of step 2
    found = fed(by_one((4, 5, 6, 7), (0, 1, 2, 3)), rows)
    assert found.reordered
