"""How one row was made another."""

from __future__ import annotations

import pytest

from accumcheck.record.fed import FedField, FedRow
from accumcheck.rows.changes import Change, change_of, evidence_in
from tests.judge.rows import floats, ints, one, text

A = text(5, 6, 7, 8)
B = text(9, 4, 3, 2)
EVIDENCE = evidence_in([dict(A), dict(B)])


@pytest.mark.parametrize(
    ("fed", "found"),
    [
        (A, Change("same")),
        (text(5, 6, 7, 8, labels=(6, 7, 8, -100)), Change("field", ("labels",))),
        (text(5, 6, 7, 8, position_ids=ints(0, 2, 4, 6)), Change("field", ("position_ids",))),
        (text(5, 6, 7, 8, token_type_ids=ints(0, 0, 1, 1)), Change("field", ("token_type_ids",))),
        (text(5, 6, 7, 8, attention_mask=ints(1, 0, 1, 1)), Change("field", ("attention_mask",))),
        (text(5, 6, 7, 8, temperature=one(2.0, whole=True)), Change("constant", ("temperature",))),
        (text(5, 6), Change("cut", ("input_ids", "labels"), (4, 2))),
        (text(7, 8), Change("cut", ("input_ids", "labels"), (4, 2))),
        (text(5, 6, 7, 8, 9, 3), Change("cut", ("input_ids", "labels"), (4, 6))),
        (text(5, 6, 7, 8, 0, 0, labels=(5, 6, 7, 8, -100, -100)), Change("padded", ("input_ids", "labels"), (4, 6))),
        (text(0, 5, 6, 7, 8, labels=(-100, 5, 6, 7, 8)), Change("padded", ("input_ids", "labels"), (4, 5))),
        (text(5, 6, 7, 8, 0, 0), Change("padding-trained", ("input_ids", "labels"), (4, 6))),
        (text(5, 9), None),
        (B, None),
    ],
)
def test_a_change_is_named(fed: FedRow, found: Change | None) -> None:
    assert change_of(A, fed, EVIDENCE) == found


def test_rows_that_have_their_positions_or_their_class_in_common_are_others() -> None:
    control = {"input_ids": ints(1, 2, 3), "position_ids": ints(1, 2, 3), "labels": one(0)}
    other = {"input_ids": ints(4, 5, 6), "position_ids": ints(1, 2, 3), "labels": one(0)}
    third = {"input_ids": ints(7, 8, 9), "position_ids": ints(1, 2, 3), "labels": one(0)}
    assert change_of(control, other, evidence_in([control, third])) is None


def test_a_module_that_is_fed_x_and_y_has_another_y() -> None:
    control, third = ({"x": ints(1, 2, 3), "y": one(4)}, {"x": ints(3, 3, 3), "y": one(4)})
    assert change_of(control, {"x": ints(1, 2, 3), "y": one(5)}, evidence_in([control, third])) == Change(
        "field", ("y",)
    )


@pytest.mark.parametrize(
    ("fed", "found"),
    [
        (floats("cast", (10.001, 2.001, -3.0), 4, 2), Change("same")),
        (floats("noise", (10.0, 2.1, -3.0), 4, 2), Change("field", ("input_values",))),
        (floats("other", (10.0, -2.0, 3.0), 4, 2), None),
        (floats("zeros", (10.0, 2.0, -3.0), 6, 2), Change("padded", ("input_values",), (4, 6))),
        (floats("cut", (9.0, 2.0, -2.0), 3, 2), None),
    ],
)
def test_floats_are_the_same_up_to_rounding_and_zeros_at_their_end(fed: FedField, found: Change | None) -> None:
    control = {"input_values": floats("x", (10.0, 2.0, -3.0), 4, 2)}
    assert change_of(control, {"input_values": fed}, evidence_in([control])) == found


def test_what_was_whole_for_one_and_by_row_for_the_other_cannot_be_compared() -> None:
    assert change_of({**A, "w": one(3, whole=True)}, {**A, "w": one(4)}, EVIDENCE) == Change("same")
