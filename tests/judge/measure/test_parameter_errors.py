"""The errors of single parameters, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accumcheck.judge.measure.compare import Truth
from accumcheck.judge.measure.parameter_errors import MOST, parameter_errors
from accumcheck.record import Coordinates, ParameterError, SplitObservation
from tests.judge.measure.test_parameters import RIGHT, allowance, observed, truth_reference

TRUTH = Truth(1.0, 5.0, RIGHT, (0,), 1)


def errors(split: SplitObservation, *truths: Truth) -> tuple[ParameterError, ...]:
    found = truth_reference()
    return parameter_errors(split, truths, found, allowance(found, "float32"))


def test_each_parameter_is_measured_against_its_own_norm_the_worst_first() -> None:
    first, second = errors(observed([3.0, 4.0, 0.0, 0.04]), TRUTH)
    # the small tensor lost 0.03 of its norm of 0.05
    assert (first.name, first.error, first.step) == ("norm.weight", pytest.approx(0.6), 1)
    assert first.share == pytest.approx(0.05 / np.hypot(5.0, 0.05))
    assert first.error > first.allowed
    assert (second.name, second.error) == ("large", 0.0)
    assert second.error <= second.allowed


def test_the_step_in_which_it_is_worst_counts() -> None:
    one, two = observed([3.0, 4.0, 0.03, 0.04]), observed([6.0, 8.0, 0.03, 0.04])
    both = replace(one, steps=(*one.steps, replace(two.steps[0], step=2)))
    found = {error.name: error for error in errors(both, TRUTH, TRUTH)}
    assert (found["large"].error, found["large"].step) == (pytest.approx(1.0), 2)


def test_what_is_not_finite_or_has_no_truth_is_left_out() -> None:
    assert errors(observed([float("nan"), 4.0, 0.03, 0.04]), TRUTH) == ()
    assert errors(observed([3.0, 4.0, 0.03, 0.04])) == ()


def test_there_are_at_most_so_many() -> None:
    count = 2 * MOST
    names = tuple(f"layer.{at}" for at in range(count))
    places = Coordinates(names, (1,) * count, tuple(range(count)), count)
    right = np.ones(count)
    found = replace(truth_reference(), coordinates=places, gradients=right[None])
    off = np.ones(count)
    off[7] = 2.0
    truth = Truth(1.0, float(np.sqrt(count)), right, (0,), 1)
    made = parameter_errors(observed(list(off)), [truth], found, allowance(found, "float32"))
    assert len(made) == MOST
    assert (made[0].name, made[0].error) == ("layer.7", pytest.approx(1.0))
