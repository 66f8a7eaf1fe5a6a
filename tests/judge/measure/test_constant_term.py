"""What rows that are trained one by one add too often: one term, or something that depends on them."""

from __future__ import annotations

import numpy as np
import pytest

from accumcheck.judge.measure.constant_term import constant_in, times_of

DRAW = np.random.default_rng(3)
ROWS = [DRAW.normal(size=(8, 30)) for _ in range(2)]
TERM = DRAW.normal(size=30)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_term_that_is_the_same_for_every_micro_batch_is_found(micro_batches: int) -> None:
    alone = [rows + TERM for rows in ROWS]
    steps = [rows.sum(axis=0) + micro_batches * TERM for rows in ROWS]
    found = constant_in(alone, steps, micro_batches, 1e-3)
    assert found is not None
    assert found == pytest.approx(TERM)


def test_what_depends_on_the_rows_is_none() -> None:
    others = [DRAW.normal(size=30) for _ in ROWS]  # as a loss over pairs of rows has it
    assert constant_in(ROWS, [rows.sum(axis=0) + one for rows, one in zip(ROWS, others, strict=True)], 1, 1e-3) is None


def test_rows_that_add_up_have_none_and_of_one_step_nothing_is_known() -> None:
    assert constant_in(ROWS, [rows.sum(axis=0) for rows in ROWS], 1, 1e-3) is None
    assert constant_in([ROWS[0] + TERM], [ROWS[0].sum(axis=0) + TERM], 1, 1e-3) is None


def test_a_difference_is_so_many_times_the_term_or_something_else() -> None:
    assert times_of(TERM, 3 * TERM, 10.0, 1e-5) == pytest.approx(3)
    assert times_of(TERM, 3 * TERM + DRAW.normal(size=30), 10.0, 1e-5) is None
