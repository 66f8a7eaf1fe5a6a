"""Changes of weights beside each other: what the gradient's noise and the weights' rounding explain, and what not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from accumcheck.judge.measure.updates import change_difference, rounding_of, shrinking
from accumcheck.record import Coordinates, StepObservation
from accumcheck.record.observed import HeldWeights

CLEAR = 1e-3
GRADIENT = np.array([1.0, -2.0, 0.5, 4.0])
WEIGHTS = HeldWeights(np.array([1.0, -2.0, 0.0, 0.5]), np.full(4, 2.0**-7))


def step(change: list[float] | None, gradient: list[float] | None = None, clip: float = 1.0) -> StepObservation:
    mine = GRADIENT if gradient is None else np.array(gradient)
    made = None if change is None else np.array(change)
    return StepObservation(1, 1.0, None, {0: 1.0}, (), {0: mine}, clip_coefficient=clip, change=made)


DUE = step([0.3, 0.4, 0.0, 1.2])


def test_the_difference_is_relative_to_the_controls_change() -> None:
    # 0.13 of a norm of sqrt(0.09 + 0.16 + 1.44) = 1.3
    assert change_difference(step([0.3, 0.4, 0.0, 1.33]), DUE, CLEAR) == pytest.approx(0.1)
    assert change_difference(DUE, DUE, CLEAR) == 0


def test_an_entry_whose_gradient_is_noise_is_left_out() -> None:
    mine = step([0.3, 0.4, 9.0, 1.2], [1.0, -2.0, 0.4, 4.0])  # 0.4 where the control has 0.5
    assert change_difference(mine, DUE, CLEAR) == 0


def test_gradients_that_differ_otherwise_say_nothing_of_the_update() -> None:
    assert change_difference(step([0.3, 0.4, 0.0, 1.2], [1.0, -2.0, 0.5, 2.0]), DUE, CLEAR) is None
    assert change_difference(step([0.3, 0.4, 0.0, 1.2], clip=0.5), DUE, CLEAR) is None
    assert change_difference(step(None), DUE, CLEAR) is None


def test_one_unit_in_the_last_place_of_each_weight_is_rounding() -> None:
    # 2**-7 times 1, 2, 0 and 0.5, and as much of the change itself
    allowed = [1.3 * 2.0**-7, 2.4 * 2.0**-7, 0.0, 1.7 * 2.0**-7]
    assert DUE.change is not None
    assert rounding_of(DUE.change, WEIGHTS).tolist() == pytest.approx(allowed)
    rounded = [a + 0.9 * b for a, b in zip(DUE.change, allowed, strict=True)]
    assert change_difference(step(rounded), DUE, CLEAR, WEIGHTS) == 0
    assert change_difference(step([0.3, 0.4, 0.01, 1.2]), DUE, CLEAR, WEIGHTS) == pytest.approx(0.01 / 1.3)


def test_a_change_that_spoils_weights_is_no_number_unless_the_controls_does_so_too() -> None:
    spoilt = replace(DUE, change=np.array([np.nan, 0.4, 0.0, 1.2]))
    found = change_difference(spoilt, DUE, CLEAR)
    assert found is not None
    assert math.isnan(found)
    assert change_difference(spoilt, spoilt, CLEAR) == 0


def test_the_state_of_an_optimizer_in_float16_knows_too_little_to_compare() -> None:
    other = step([0.3, 0.4, 0.0, 2.4])
    assert change_difference(other, DUE, CLEAR, HeldWeights(WEIGHTS.values, np.full(4, 2.0**-10))) is None
    assert change_difference(other, DUE, CLEAR, WEIGHTS) == pytest.approx(1.2 / 1.3, rel=0.02)


COORDINATES = Coordinates(("decays", "norm"), (2, 2), (0, 2), 4)


def test_weights_that_shrink_by_one_part_of_themselves_are_told() -> None:
    held = HeldWeights(np.array([1.0, -2.0, 3.0, 0.5]), np.zeros(4))
    assert shrinking(-0.25 * held.values, held, COORDINATES) == pytest.approx(0.25)
    # a decay need not be of all parameters
    assert shrinking(np.array([-0.25, 0.5, 0.0, 0.0]), held, COORDINATES) == pytest.approx(0.25)


@pytest.mark.parametrize("difference", [[0.1, 0.1, 0.1, 0.1], [-0.25, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
def test_what_is_no_shrinking_is_not_called_that(difference: list[float]) -> None:
    held = HeldWeights(np.array([1.0, -2.0, 3.0, 0.5]), np.zeros(4))
    assert shrinking(np.array(difference), held, COORDINATES) is None
