"""Every parameter against its own norm and its own noise; expected values by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.measure.compare import Truth
from accumcheck.judge.measure.parameters import Allowance, OffParameter, off_parameters, untested
from accumcheck.judge.measure.tolerance import Measured, resolve
from accumcheck.record import (
    Coordinates,
    Divergence,
    MicroBatch,
    Recomputation,
    ReferenceObservation,
    Split,
    SplitObservation,
    StepObservation,
)
from tests.judge.runs import reference

# a large tensor of norm 5, and a small one of norm 0.05: a hundredth of the whole
RIGHT = np.array([3.0, 4.0, 0.03, 0.04])
PLACES = Coordinates(("large", "norm.weight"), (2, 2), (0, 2), 4)
MANY = Coordinates(("large", "norm.weight"), (2, 2), (0, 2), 400)


def truth_reference(again: Sequence[float] | None = None, places: Coordinates = PLACES) -> ReferenceObservation:
    """One step of one sample with the gradient `RIGHT`; ``again``: recomputed in bfloat16."""
    passes = () if again is None else (Recomputation("last sample first", 1, Divergence(0, 0, 0), np.array(again)),)
    return replace(
        reference(),
        losses=np.array([1.0]),
        tokens=np.array([1]),
        labels=np.array([1]),
        gradients=RIGHT[None],
        grad_norms=(5.0,),
        membership=((0,),),
        coordinates=places,
        recomputed=passes,
    )


def allowance(found: ReferenceObservation, dtype: str = "bfloat16", gradient: float | None = None) -> Allowance:
    tolerances = resolve(ToleranceConfig(gradient=gradient), dtype, Measured(Divergence(None, None, None)), [])
    return Allowance.of(found, tolerances, dtype)


def observed(gradient: Sequence[float], norms: tuple[float, ...] = ()) -> SplitObservation:
    step = StepObservation(
        1, 1.0, None, {0: 5.0}, (MicroBatch(0, (0,)),), {0: np.array(gradient)}, parameter_norms=norms
    )
    return SplitObservation(Split(1, 1, 1), "ran", steps=(step,))


def off(gradient: Sequence[float], found: ReferenceObservation | None = None) -> tuple[OffParameter, ...]:
    found = found or truth_reference()
    right = Truth(1.0, 5.0, RIGHT, (0,), 1)
    return off_parameters(observed(gradient), None, [right], frozenset(), found, allowance(found))


def test_a_small_tensor_that_is_lost_shows_though_the_whole_hardly_changes() -> None:
    (found,) = off([3.0, 4.0, 0.0, 0.0])
    assert (found.name, found.error, found.is_zero) == ("norm.weight", 1.0, True)
    assert found.share == pytest.approx(0.01, rel=1e-3)
    assert (found.against, found.step) == ("reference", 1)


def test_so_many_times_and_another_direction_are_told_apart() -> None:
    (turned,) = off([3.0, 4.0, -0.03, -0.04])
    assert (turned.times, turned.left, turned.error) == pytest.approx((-1.0, 0.0, 2.0))
    (aside,) = off([3.0, 4.0, -0.04, 0.03])  # at right angles
    assert (aside.times, aside.left, aside.error) == pytest.approx((0.0, 1.0, math.sqrt(2)))
    assert not aside.is_zero


def test_the_worst_comes_first() -> None:
    found = off([6.0, 8.0, -0.06, -0.08])
    assert [(one.name, round(one.error, 6)) for one in found] == [("norm.weight", 3.0), ("large", 1.0)]


def test_rounding_of_the_dtype_is_no_fault() -> None:
    assert off([3.0 * 1.01, 4.0, 0.03 * 1.05, 0.04]) == ()


def test_noise_measured_on_the_parameter_itself_is_allowed_five_times() -> None:
    # recomputed, the small one is off by 0.01: 0.05 is allowed, the whole of it; without, a tenth of its norm is
    noisy = truth_reference([3.0, 4.0, 0.04, 0.04])
    assert allowance(noisy).absolute(np.array([5.0, 0.05]), 5.00025)[1] == pytest.approx(0.05)
    assert off([3.0, 4.0, 0.0, 0.01], noisy) == ()
    (found,) = off([3.0, 4.0, 0.0, 0.01])
    assert found.allowed == pytest.approx(0.1)


def test_noise_counts_up_to_what_the_whole_gradient_may_be_off() -> None:
    # a small tensor that is recomputed five times too large: no more than 2 % of 5 is allowed for it
    wild = truth_reference([3.0, 4.0, 0.15, 0.2])
    assert allowance(wild).absolute(np.array([5.0, 0.05]), 5.00025)[1] == pytest.approx(0.02 * 5.00025)


def test_a_gradient_that_is_rounding_alone_never_alarms() -> None:
    """A key's bias under softmax: its true gradient is 0, what is computed is noise of any size and sign."""
    found = truth_reference()
    right = np.array([3.0, 4.0, 1e-5, -2e-5])
    truth = Truth(1.0, 5.0, right, (0,), 1)
    split = observed([3.0, 4.0, -3e-5, 1e-5])
    assert off_parameters(split, None, [truth], frozenset(), found, allowance(found)) == ()


def test_a_tolerance_that_the_user_gave_holds_for_single_parameters() -> None:
    assert allowance(truth_reference(), "float32", gradient=0.5).floor == 0.5
    assert allowance(truth_reference(), "float32").floor == 1e-4


def test_entries_that_are_not_kept_show_in_the_parameters_norm() -> None:
    found = truth_reference(places=MANY)
    control, split = observed(RIGHT.tolist(), (70.0, 7.0)), observed(RIGHT.tolist(), (70.0, 3.5))
    (one,) = off_parameters(split, control, [], frozenset(), found, allowance(found))
    assert (one.name, one.times, one.against) == ("norm.weight", 0.5, "control")
    assert off_parameters(control, control, [], frozenset(), found, allowance(found)) == ()


def test_steps_of_other_samples_are_not_compared_with_the_control() -> None:
    found = truth_reference()
    control, split = observed(RIGHT.tolist()), observed([3.0, 4.0, 0.0, 0.0])
    assert len(off_parameters(split, control, [], frozenset(), found, allowance(found))) == 1
    assert off_parameters(split, control, [], frozenset({0}), found, allowance(found)) == ()


def test_what_is_not_finite_is_left_to_the_whole() -> None:
    assert off([math.nan, 4.0, 0.0, 0.0]) == ()


def test_untested_is_what_is_exactly_zero_for_every_sample() -> None:
    found = replace(truth_reference(), gradients=np.array([[3.0, 4.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]))
    assert untested(found, None) == ("norm.weight",)
    tiny = replace(found, gradients=np.array([[3.0, 4.0, 0.0, 0.0], [1.0, 0.0, 1e-30, 0.0]]))
    assert untested(tiny, None) == ()


def test_a_parameter_of_which_other_entries_have_a_gradient_is_tested() -> None:
    found = replace(truth_reference(places=MANY), gradients=np.array([[3.0, 4.0, 0.0, 0.0]]))
    assert untested(found, observed(RIGHT.tolist(), (70.0, 7.0))) == ()
    assert untested(found, observed(RIGHT.tolist(), (70.0, 0.0))) == ("norm.weight",)


def projecting(*of: tuple[float, ...]) -> SplitObservation:
    """Kept entries and norms are right; ``of``: the projections of each parameter."""
    run = observed(RIGHT.tolist(), (5.0, 0.05))
    return replace(run, steps=(replace(run.steps[0], parameter_projections=of),))


def test_a_fault_outside_of_the_kept_entries_shows_in_projections() -> None:
    truth = truth_reference(places=MANY)
    control = projecting((1.0, -2.0, 0.5, 3.0), (0.01, 0.02, -0.03, 0.01))
    swapped = projecting((1.0, 2.0, -0.5, -3.0), (0.01, 0.02, -0.03, 0.01))
    (found,) = off_parameters(swapped, control, (), frozenset(), truth, allowance(truth))
    assert (found.name, found.against) == ("large", "control")
    # the root of the mean of 0, 16, 1 and 36 is 3.64, and the norm is 5
    assert found.error == pytest.approx(math.sqrt(53 / 4) / 5)


def test_projections_that_round_otherwise_are_the_same() -> None:
    truth = truth_reference(places=MANY)
    control = projecting((1.0, -2.0, 0.5, 3.0), (0.01, 0.02, -0.03, 0.01))
    near = projecting((1.001, -2.001, 0.501, 3.0), (0.01, 0.02, -0.03, 0.01))
    assert off_parameters(near, control, (), frozenset(), truth, allowance(truth)) == ()
