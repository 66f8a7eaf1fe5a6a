"""Recovery of weights from a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from accumcheck.judge.measure.errors import gradient_error, loss_difference, relative, worst_parameter
from accumcheck.judge.measure.recovery import BLOCK, System, summarise, weight_error
from accumcheck.record import Coordinates


def solved(gradients: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, float]:
    system = System.of(gradients)
    assert system is not None
    (found,) = system.solve([observed])
    return found


def test_known_weights_are_recovered() -> None:
    gradients = np.array([[1.0, 0, 0, 1], [0, 2.0, 0, 0], [1.0, 0, 3.0, 0]])
    weights, residual = solved(gradients, 0.5 * gradients[0] + 0.25 * gradients[1] - 2 * gradients[2])
    assert weights == pytest.approx([0.5, 0.25, -2.0])
    assert residual == pytest.approx(0, abs=1e-7)


def test_what_no_weights_explain_is_the_residual() -> None:
    gradients = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    weights, residual = solved(gradients, np.array([3.0, 0.0, 4.0]))  # 4 of 5 lie outside
    assert weights == pytest.approx([3.0, 0.0])
    assert residual == pytest.approx(0.8)


def test_samples_that_cannot_be_told_apart_are_said_so() -> None:
    system = System.of(np.array([[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]]))
    assert system is not None
    assert system.condition > 1e10
    ((weights, residual),) = system.solve([np.array([2.0, 1.0, 0])])
    assert weights == pytest.approx([1.0, 1.0, 1.0])  # shared evenly, nothing invented
    assert residual == pytest.approx(0, abs=1e-7)


def test_ratios_are_to_the_ideal() -> None:
    ideal = np.array([0.5, 0.25, 0.25])
    found = summarise([np.array([1.0, 0.5, 0.0])], [ideal], [(4, 5, 6)], [0.0], 3.0)
    assert (found.scale, found.min, found.max) == (1.5, 0.0, 2.0)
    assert (found.dropped, found.duplicated, found.condition) == ((6,), (), 3.0)


def dropped(*ratios: float, scale: float = 1.0) -> tuple[int, ...]:
    ideal = np.full(len(ratios), 1 / len(ratios))
    return summarise([ideal * np.array(ratios)], [ideal], [range(len(ratios))], [0.0], 1.0, scale).dropped


def test_a_sample_is_dropped_beside_what_it_should_weigh_and_not_beside_the_others() -> None:
    assert dropped(0, 0, 0, 1) == (0, 1, 2)  # most are gone
    assert dropped(8, 8, 0.04, 8) == (2,)
    assert dropped(8, 8, 0.3, 8) == ()  # an eighth part of the others, and not nothing
    assert dropped(8, 8, 0.3, 8, scale=8) == (2,)  # all weights are times 8: a rule says so
    assert dropped(0.03, 0.03, 0.03) == ()  # all of them are small: none is missing
    assert dropped(1 / 32, 0, 1 / 32, scale=1 / 32) == (1,)


def test_a_sample_that_predicts_nothing_is_neither_dropped_nor_too_heavy() -> None:
    found = summarise([np.array([0.5, 0.5, 0.0])], [np.array([0.5, 0.5, 0.0])], [(0, 1, 2)], [0.0], 1.0)
    assert (found.min, found.max, found.scale, found.dropped) == (1, 1, 1, ())


@pytest.mark.parametrize(
    ("value", "other", "expected"), [(2.2, 2.0, 0.1), (None, 1.0, None), (0.0, 0.0, 0.0), (1.0, 0.0, float("inf"))]
)
def test_relative(value: float | None, other: float | None, expected: float | None) -> None:
    found = relative(value, other)
    assert found is None if expected is None else found == pytest.approx(expected)


def test_not_a_number_is_never_no_difference() -> None:
    assert np.isnan(relative(float("nan"), 1.0) or 0.0)
    assert np.isnan(relative(1.0, float("inf")) or 0.0)
    assert np.isnan(gradient_error(np.array([np.nan, 1.0]), np.array([1.0, 1.0])))


def test_rounding_of_a_log_is_taken_off_absolutely() -> None:
    assert loss_difference(4.2, 4.16, 0.05) == 0.0
    assert loss_difference(7.9, 4.2, 0.05) == pytest.approx(3.65 / 4.2)
    assert loss_difference(0.1, 4.2, 0.1) == pytest.approx(4.0 / 4.2)  # no wide tolerance because 0.1 is small
    assert loss_difference(None, 4.2, 0.1) is None
    assert np.isnan(loss_difference(float("nan"), 4.2, 0.1) or 0.0)


def test_the_worst_parameter_is_relative_to_itself() -> None:
    place = Coordinates(("large", "small"), (2, 2), (0, 2), 4)
    found = worst_parameter(np.array([10.1, 0, 0.02, 0]), np.array([10.0, 0, 0.01, 0]), place)
    assert found is not None
    assert (found.name, found.gradient) == ("small", pytest.approx(1.0))


def test_a_parameter_without_entries_has_no_error_and_not_its_neighbours() -> None:
    place = Coordinates(("none", "first", "none-either", "second", "nor-this"), (0, 1, 0, 2, 0), (0, 0, 1, 1, 3), 3)
    found = worst_parameter(np.array([1.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0]), place)
    assert found is not None
    assert (found.name, found.gradient) == ("second", pytest.approx(2 / np.sqrt(13)))


def test_the_worst_parameter_is_the_one_that_is_not_a_number() -> None:
    place = Coordinates(("sound", "broken", "wrong"), (1, 1, 1), (0, 1, 2), 3)
    found = worst_parameter(np.array([1.0, np.nan, 9.0]), np.array([1.0, 1.0, 1.0]), place)
    assert found is not None
    assert found.name == "broken"
    assert np.isnan(found.gradient)


def test_sample_gradients_that_are_not_finite_give_no_system() -> None:
    gradients = np.array([[1.0, np.inf, 0], [0, 1.0, 0]])
    assert System.of(gradients) is None
    assert System.of(gradients, rows=[1]) is not None


def test_more_coordinates_than_are_taken_at_once_give_the_same_weights() -> None:
    draw = np.random.default_rng(3)
    gradients = draw.normal(size=(5, 2 * BLOCK + 17)).astype(np.float32)
    planted = np.array([0.5, 0.0, -1.0, 2.0])
    off = draw.normal(size=2 * BLOCK + 17)
    system = System.of(gradients, rows=[0, 1, 2, 4])
    assert system is not None
    (alone, residual), (beside, _) = system.solve([planted @ gradients[[0, 1, 2, 4]], off])
    assert alone == pytest.approx(planted, abs=1e-6)
    assert residual < 1e-6
    expected, *_ = np.linalg.lstsq(gradients[[0, 1, 2, 4]].T.astype(np.float64), off, rcond=None)
    assert beside == pytest.approx(expected)


def test_samples_that_are_all_but_the_same_are_not_called_wrongly_weighted() -> None:
    """The direction between them is too weak to solve for; what is not known there is no error of the weights."""
    draw = np.random.default_rng(5)
    first, other, third = draw.normal(size=(3, 40))
    gradients = np.stack([first, first + 5e-6 * other, third])
    right = np.array([0.7, 0.1, 0.2])
    system = System.of(gradients)
    assert system is not None
    assert system.condition > 1e10
    ((weights, residual),) = system.solve([right @ gradients])
    assert weights == pytest.approx([0.4, 0.4, 0.2], abs=1e-3)  # shared evenly
    assert residual < 1e-5
    assert weight_error(weights, right, system.gram) < 1e-8
    assert weight_error(weights * 1.01, right, system.gram) == pytest.approx(0.01, rel=1e-3)


def test_wrong_weights_are_measured_by_what_they_do_to_the_gradient() -> None:
    gram = np.array([[4.0, 0.0], [0.0, 9.0]])  # norms 2 and 3, at right angles
    assert weight_error(np.array([1.0, 1.5]), np.array([1.0, 1.0]), gram) == pytest.approx(1.5 / np.sqrt(13))
    assert weight_error(np.array([1.0, 1.0]), np.array([1.0, 1.0]), gram) == 0
    assert weight_error(np.array([1.0, 0.0]), np.array([0.0, 0.0]), gram) == float("inf")


def test_of_many_solutions_the_one_nearest_to_the_right_shares_is_taken() -> None:
    """Six samples of a model with three parameters, each with its share of the tokens, and twice the right gradient."""
    gradients = np.random.default_rng(2).normal(size=(6, 3))
    shares = np.array([3, 1, 4, 1, 5, 9]) / 23
    system = System.of(gradients)
    assert system is not None
    assert system.rank == 3
    ((weights, residual), (least, _)) = (
        *system.solve([2 * shares @ gradients], shares),
        *system.solve([2 * shares @ gradients]),
    )
    assert weights == pytest.approx(2 * shares)
    assert residual < 1e-12
    assert not np.allclose(least, 2 * shares)
    assert least @ gradients == pytest.approx(2 * shares @ gradients)
