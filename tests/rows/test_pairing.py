"""Rows that are the same ones with other contents."""

from __future__ import annotations

from accumcheck.rows.changes import Change
from accumcheck.rows.pairing import paired
from tests.judge.rows import text

CONTENTS = {
    1: text(5, 6, 7, 8),
    2: text(9, 4, 3),
    3: text(5, 6, 7, 8, 0, 0, labels=(5, 6, 7, 8, -100, -100)),  # row 1, padded
    4: text(2, 2, 9, 1),
}


def test_a_row_that_was_padded_is_the_row_that_it_was() -> None:
    assert paired([3], [1, 2], CONTENTS, [1, 2]) == {3: (1, Change("padded", ("input_ids", "labels"), (4, 6)))}


def test_another_row_is_none_of_these() -> None:
    assert paired([4], [1, 2], CONTENTS, [1, 2]) == {}


def test_each_row_has_one_partner() -> None:
    twice = {**CONTENTS, 5: text(5, 6, 7, 8, 0, labels=(5, 6, 7, 8, -100))}
    assert set(paired([3, 5], [1], twice, [1])) == {5} or set(paired([3, 5], [1], twice, [1])) == {3}
