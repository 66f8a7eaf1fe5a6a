"""What the splits of a program were fed, beside the control."""

from __future__ import annotations

import pytest

from accumcheck.judge.measure.fed_rows import Repeated, SplitRows, StepRows, compare_fed
from accumcheck.record import Split
from accumcheck.record.fed import FedRow
from accumcheck.rows.changes import Change
from tests.judge.rows import floats, one, split_of, text

CONTROL = Split(1, 4, 1)
ROWS: dict[int, FedRow] = {number: text(number + 10, number + 20, number + 30) for number in range(8)}
FIRST = [[(0, (0, 1, 2, 3))], [(0, (4, 5, 6, 7))]]

Steps = list[list[tuple[int, tuple[int, ...]]]]


def fed(
    steps: list[list[tuple[int, tuple[int, ...]]]], rows: dict[int, FedRow] = ROWS, name: str = "1x1x4"
) -> SplitRows:
    seen = [split_of("1x4x1", FIRST, ROWS), split_of(name, steps, rows)]
    return compare_fed(seen, CONTROL, None).of[Split.parse(name)]


def by_one(*steps: tuple[int, ...]) -> Steps:
    return [[(0, (number,)) for number in step] for step in steps]


def test_the_controls_rows_in_any_order_are_right() -> None:
    found = fed(by_one((3, 1, 0, 2), (4, 5, 6, 7)))
    assert (found.steps, found.reordered) == ((), False)


def test_one_micro_batch_again_and_again() -> None:
    (step, _) = fed(by_one((0, 0, 0, 0), (4, 4, 4, 4))).wrong
    assert step == StepRows(1, 4, 4, repeated=(Repeated(0, 4, (0,)),), missing=(1, 2, 3), again=True)


def test_a_row_of_two_processes_is_one_that_both_were_fed() -> None:
    steps: Steps = [[(0, (0, 1)), (1, (1, 2))], [(0, (4, 5)), (1, (6, 7))]]
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


def image(number: int, label: int) -> FedRow:
    """Pixels that no other row has, and a class that many have."""
    return {"pixel_values": floats(f"image {number}", (float(number + 1), 2.0), 3, 4, 4), "labels": one(label)}


@pytest.mark.parametrize(
    ("order", "places"),
    [((20, 21, 22, 23), [0, 1, 2, 3]), ((21, 20, 23, 22), [])],
)
def test_rows_with_only_a_class_in_common_are_known_by_their_place(order: tuple[int, ...], places: list[int]) -> None:
    """In the second order classes do not agree place by place: these are other rows."""
    rows: dict[int, FedRow] = {number: image(number, number % 2) for number in range(4)}
    changed: dict[int, FedRow] = {20 + number: image(50 + number, number % 2) for number in range(4)}
    seen = [split_of("1x4x1", FIRST[:1], rows), split_of("1x1x4", by_one(order), changed)]
    (step,) = compare_fed(seen, CONTROL, None).of[Split(1, 1, 4)].wrong
    assert [(one.place, one.change.fields) for one in step.changed] == [(place, ("pixel_values",)) for place in places]
    assert len(step.missing) == 4 - len(places)
