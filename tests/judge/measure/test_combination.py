"""One gradient as a combination of its rows'."""

from __future__ import annotations

import numpy as np
import pytest

from accumcheck.judge.measure.combination import combined
from accumcheck.record import Coordinates

ROWS = np.random.default_rng(3).normal(size=(3, 40))
PLACES = Coordinates(("trunk", "head", "bias"), (20, 18, 2), (0, 20, 38), 40)
EVERY = np.arange(40)
WEIGHTS = np.array([0.5, 0.3, 0.2])


def test_weights_of_all_parameters_at_once() -> None:
    found = combined(WEIGHTS @ ROWS, EVERY, ROWS, PLACES, 1e-6)
    assert found.weights.tolist() == pytest.approx(WEIGHTS.tolist())
    assert found.left < 1e-9
    assert not found.own.any()


def test_a_parameter_that_is_multiplied_by_a_number_of_its_own_is_a_combination_all_the_same() -> None:
    gradient = WEIGHTS @ ROWS
    gradient[20:38] *= 4
    found = combined(gradient, EVERY, ROWS, PLACES, 1e-6)
    assert found.left < 1e-9
    assert (found.weights @ found.rows).tolist() == pytest.approx(gradient.tolist())


def test_terms_with_denominators_of_their_own_in_different_parameters() -> None:
    gradient = np.concatenate([(WEIGHTS @ ROWS)[:20], (np.array([0.1, 0.8, 0.4]) @ ROWS)[20:]])
    found = combined(gradient, EVERY, ROWS, PLACES, 1e-6)
    assert found.left < 1e-9
    assert (found.weights @ found.rows).tolist() == pytest.approx(gradient.tolist())


def test_one_parameter_that_follows_no_row_makes_the_whole_none() -> None:
    gradient = WEIGHTS @ ROWS
    gradient[20:38] = np.linspace(-1, 1, 18)
    assert combined(gradient, EVERY, ROWS, PLACES, 1e-6).left > 0.01


def test_a_parameter_without_a_gradient_in_any_row_is_left_out() -> None:
    rows = ROWS.copy()
    rows[:, 38:] = 0  # frozen where rows were trained one by one
    found = combined(WEIGHTS @ ROWS, EVERY, rows, PLACES, 1e-6)
    assert found.left < 1e-9
    assert np.flatnonzero(found.own).tolist() == [38, 39]


def test_with_fewer_entries_than_rows_weights_stay_as_equal_as_they_can() -> None:
    """Eight rows of a model with five parameters, whose mean is trained: many weights give it, equal ones too."""
    rows = np.random.default_rng(5).normal(size=(8, 5))
    places = Coordinates(("weight", "bias"), (4, 1), (0, 4), 5)
    found = combined(rows.mean(axis=0), np.arange(5), rows, places, 1e-6)
    assert found.is_one_of_many
    assert found.left < 1e-9
    assert found.weights.tolist() == pytest.approx([1 / 8] * 8)
    assert not combined(WEIGHTS @ ROWS, EVERY, ROWS, PLACES, 1e-6).is_one_of_many
    uneven = np.array([1, 2, 1, 1, 1, 1, 1, 1]) / 9
    near = combined(uneven @ rows, np.arange(5), rows, places, 1e-6)
    assert (near.weights @ rows).tolist() == pytest.approx((uneven @ rows).tolist())
    assert (near.weights > 0).all()
