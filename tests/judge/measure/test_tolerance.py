"""Tolerances come from what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.judge import Judgement, judge
from accumcheck.judge.measure.compare import Recovery, truth_of
from accumcheck.judge.measure.tolerance import Measured, measured, random_by, reporting_step, resolve
from accumcheck.record import (
    Divergence,
    NoiseMeasurement,
    Recomputation,
    ReferenceObservation,
    Split,
    SplitObservation,
    Tolerances,
)
from tests.judge.runs import GRADIENTS, LOSSES, SPLITS, TOKENS, B, Weights, check, observe, reference, right

CONTROL = Split.parse("1x8x1")


def resolved(wanted: ToleranceConfig, dtype: str, noise: Divergence, losses: list[float | None]) -> Tolerances:
    return resolve(wanted, dtype, Measured(noise), losses)


def test_the_measured_noise_is_widened_and_the_dtype_is_the_floor() -> None:
    quiet = resolved(ToleranceConfig(), "float32", Divergence(1e-8, 1e-8, 1e-8, 1e-9), [5.123456])
    assert (quiet.loss, quiet.grad_norm, quiet.gradient, quiet.weights) == (1e-5, 1e-5, 1e-5, 1e-6)
    noisy = resolved(ToleranceConfig(), "float32", Divergence(1e-5, 2e-5, 3e-5, 4e-6), [5.123456])
    assert (noisy.loss, noisy.grad_norm, noisy.gradient) == pytest.approx((5e-5, 1e-4, 1.5e-4))
    assert noisy.weights == pytest.approx(2e-5)


def test_the_users_number_wins() -> None:
    wanted = ToleranceConfig(loss=0.25, gradient=0.5)
    found = resolved(wanted, "float32", Divergence(1e-3, 1e-4, 1e-3, 1e-3), [5.0, 6.0])
    assert (found.loss, found.grad_norm, found.gradient) == (0.25, pytest.approx(5e-4), 0.5)
    assert found.weights == 0.5  # a part of the gradient: judged no closer than the user asks for the whole


def test_losses_rounded_by_the_stack_are_compared_no_closer_than_that() -> None:
    assert reporting_step([6.1082, 24.4381, 97.23]) == 1e-4
    assert reporting_step([6.108212, 24.4381]) == 1e-6
    assert reporting_step([6.10821234567]) == 0.0
    assert reporting_step([6.10821234567, 6.10821234599]) == 0.0
    # half a unit of the last of four decimals, absolute: no part of the relative tolerance
    found = resolved(ToleranceConfig(), "float64", Divergence(0.0, 0.0, 0.0), [5.0, 6.1082])
    assert (found.loss, found.origins["loss"].chosen, found.origins["loss"].rounding) == (1e-6, "dtype", 0.0)
    assert found.loss_rounding == pytest.approx(5e-5)
    assert resolved(ToleranceConfig(), "float64", Divergence(0.0, 0.0, 0.0), [5.0, 6.10821234]).loss_rounding == 0.0


def test_noise_beyond_what_the_dtype_explains_widens_nothing() -> None:
    found = resolved(ToleranceConfig(), "float32", Divergence(0.1, 3e-4, 1e-5, 1e-6), [5.123456])
    assert (found.loss, found.grad_norm, found.gradient) == (1e-3, 1e-3, pytest.approx(5e-5))
    assert {name: origin.chosen for name, origin in found.origins.items()} == {
        "loss": "ceiling",
        "grad_norm": "ceiling",
        "gradient": "noise",
        "weights": "noise",
    }
    assert found.origins["loss"].ceiling == 1e-3


def test_a_forward_pass_is_random_where_the_same_samples_give_another_loss() -> None:
    def again(size: int, loss: float) -> ReferenceObservation:
        passes = (Recomputation("last sample first", size, Divergence(loss, 0.0, 0.0), TRUTH),)
        return dataclasses.replace(reference(), recomputed=passes)

    assert random_by(again(1, 3e-2), "float32") == 3e-2
    assert random_by(again(1, 1e-6), "float32") is None
    assert random_by(again(8, 3e-2), "float32") is None  # several samples at once may be computed otherwise
    assert random_by(None, "float32") is None


def test_each_tolerance_says_where_it_comes_from() -> None:
    found = resolved(ToleranceConfig(gradient=0.5), "float32", Divergence(1e-5, 1e-8, 1e-8), [5.123456])
    assert {name: origin.chosen for name, origin in found.origins.items()} == {
        "loss": "noise",
        "grad_norm": "dtype",
        "gradient": "configuration",
    }
    assert dataclasses.astuple(found.origins["loss"]) == ("noise", 1e-5, 1e-5, 5.0, 0.0, 1e-3)
    # what would have held without the user's word is still said
    assert dataclasses.astuple(found.origins["gradient"]) == ("configuration", 1e-5, 1e-8, 5.0, 0.0, 1e-3)


def test_weights_whose_noise_was_not_measured_have_no_tolerance() -> None:
    found = resolved(ToleranceConfig(), "bfloat16", Divergence(1e-3, 1e-3, 1e-3), [5.123456])
    assert found.weights is None
    assert "weights" not in found.origins


def test_nothing_is_measured_without_a_reference() -> None:
    assert measured(None, []) == Measured(Divergence(None, None, None))


# --- on whole runs ----------------------------------------------------------------------------------------------------

MEMBERS = list(range(B))
TRUTH = TOKENS[MEMBERS] / TOKENS[MEMBERS].sum() @ GRADIENTS[MEMBERS]
SPAN, _ = np.linalg.qr(GRADIENTS[MEMBERS].T)
_draw = np.random.default_rng(11)


def beside_the_span(share: float) -> np.ndarray:
    """A vector of ``share`` times the truth's norm, at right angles to every sample's gradient of step 1."""
    drawn = _draw.normal(size=TRUTH.shape)
    drawn -= SPAN @ (SPAN.T @ drawn)
    return np.asarray(share * np.linalg.norm(TRUTH) * drawn / np.linalg.norm(drawn))


def noisy_reference(in_weights: float, beside: float) -> ReferenceObservation:
    """A reference whose recomputation of step 1 is off by so much in the weights, and by so much outside their span."""
    whole = float(np.hypot(in_weights, beside))
    again = (1 + in_weights) * TRUTH + beside_the_span(beside)
    return dataclasses.replace(
        reference(),
        noise=Divergence(1e-4, 1e-4, whole),
        recomputed=(Recomputation("last sample first", 3, Divergence(1e-4, 1e-4, whole), again),),
        model=dataclasses.replace(reference().model, dtype="bfloat16"),
    )


def judged(observations: list[SplitObservation], in_weights: float = 2.5e-3, beside: float = 1.4e-2) -> Judgement:
    run = check(SPLITS)
    run = dataclasses.replace(run, model=dataclasses.replace(run.model, dtype="bfloat16"))
    return judge(run, observations, CONTROL, noisy_reference(in_weights, beside))


def test_the_noise_of_the_weights_is_measured_apart_from_the_rest() -> None:
    found = judged([observe(Split.parse(split), right) for split in SPLITS]).tolerances
    assert found.noise_floor.gradient == pytest.approx(np.hypot(2.5e-3, 1.4e-2))
    assert found.noise_floor.weights == pytest.approx(2.5e-3)
    assert found.weights == pytest.approx(1.25e-2)  # five times
    assert found.gradient == pytest.approx(5 * np.hypot(2.5e-3, 1.4e-2))
    # the recomputation's norm was off by 1e-4 only, by luck: 2.5e-3 lie in the span, and could as well lengthen it
    assert (found.noise_floor.grad_norm, found.grad_norm) == (found.noise_floor.weights, found.weights)
    apart = Divergence(1e-4, 1e-4, float(np.hypot(2.5e-3, 1.4e-2)), cast(float, pytest.approx(2.5e-3)))
    # 8 samples, 3 at a time: 3 micro-batches
    assert found.measured == (NoiseMeasurement("last sample first", 3, 3, apart),)


def wrong_by(share: float) -> Callable[[Split, list[list[list[int]]]], Weights]:
    """Right, but the longest of the samples weighs too much by ``share``, where gradients are accumulated."""

    def weights(split: Split, fed: list[list[list[int]]]) -> Weights:
        found = right(split, fed)
        if split.gradient_accumulation_steps > 1:
            found[np.argmax(found)] *= 1 + share
        return found

    return weights


def effect_of(share: float) -> float:
    """What that does to the gradient of step 1, relative to its norm."""
    longest = int(np.argmax(TOKENS[MEMBERS]))
    off = share * TOKENS[longest] / TOKENS[MEMBERS].sum() * GRADIENTS[longest]
    return float(np.linalg.norm(off) / np.linalg.norm(TRUTH))


@pytest.mark.parametrize("share", [1e-4, 1e-3, 1e-2, 0.1, 1.0])
def test_an_error_of_ten_times_the_tolerance_is_always_caught(share: float) -> None:
    """Whatever the noise, and so the tolerance: in the weights, in the gradient as a whole, and in the loss."""
    allowed = effect_of(share) / 10
    runs = [observe(Split.parse(split), wrong_by(share)) for split in SPLITS]
    in_weights = dataclasses.replace(check(SPLITS), tolerances=ToleranceConfig(loss=1e9, grad_norm=1e9))
    found = judge(in_weights, runs, CONTROL, noisy_reference(allowed / 5, 0.2))
    assert found.tolerances.weights == pytest.approx(min(max(allowed, 1e-6), 1e-3))
    assert [split.verdict for split in found.splits] == ["pass", "fail", "fail", "fail", "fail"]
    assert (found.verdict, found.exit_code) == ("fail", 1)
    for field, measure in (("gradient", allowed), ("loss", share_of_loss(share) / 10)):
        others = {name: 1e9 for name in ("loss", "grad_norm", "gradient") if name != field}
        only = dataclasses.replace(check(SPLITS), tolerances=ToleranceConfig(**{field: measure}, **others))
        assert judge(only, runs, CONTROL, reference()).exit_code == 1, field


def share_of_loss(share: float) -> float:
    """What it does to the loss of step 1, relative."""
    longest = int(np.argmax(TOKENS[MEMBERS]))
    return float(share * TOKENS[longest] * LOSSES[longest] / (TOKENS[MEMBERS] @ LOSSES[MEMBERS]))


def test_an_error_of_half_the_tolerance_is_none() -> None:
    allowed = 2 * effect_of(0.05)
    runs = [observe(Split.parse(split), wrong_by(0.05)) for split in SPLITS]
    loose = dataclasses.replace(check(SPLITS), tolerances=ToleranceConfig(loss=1e9, grad_norm=1e9))
    loose = dataclasses.replace(loose, model=dataclasses.replace(loose.model, dtype="bfloat16"))
    found = judge(loose, runs, CONTROL, noisy_reference(allowed / 5, 0.2))
    assert found.tolerances.weights == pytest.approx(allowed)
    assert found.verdict == "pass"


def test_rounding_beside_the_span_hides_no_error_in_the_weights_and_is_none_itself() -> None:
    """3 % of the gradient is rounding that no weights give: none of it counts as weights, 3 % in the weights do."""

    def rounded(observation: SplitObservation) -> SplitObservation:
        first = observation.steps[0]
        gradients = {process: gradient + beside_the_span(0.03) for process, gradient in first.gradients.items()}
        shared = dict.fromkeys(gradients, gradients[0])
        changed = dataclasses.replace(first, gradients=shared, loss=first.loss)
        return dataclasses.replace(observation, steps=(changed, *observation.steps[1:]))

    sound = [rounded(observe(Split.parse(split), right)) for split in SPLITS]
    found = judged(sound)
    assert found.tolerances.gradient > 0.05
    assert found.verdict == "pass"
    assert (found.gradient_rule, found.splits[1].steps[0].vs_reference.gradient) == ("token-mean", pytest.approx(0.03))
    assert found.splits[1].steps[0].vs_reference.weights == pytest.approx(0, abs=1e-6)
    share = 0.03 / effect_of(1.0)
    wrong = judged([rounded(observe(Split.parse(split), wrong_by(share), loss_stack=right)) for split in SPLITS])
    step = wrong.splits[1].steps[0].vs_reference
    assert step.weights == pytest.approx(0.03)
    assert step.gradient is not None
    assert step.gradient < wrong.tolerances.gradient
    assert [split.verdict for split in wrong.splits] == ["pass", "fail", "fail", "fail", "fail"]
    assert wrong.splits[1].gradient_rule == "unexplained"
    assert "wrong sample weights account for 0.03 of its norm, more than rounding can" in wrong.findings[0].summary


def test_the_noise_of_weights_that_cannot_be_recovered_is_not_measured() -> None:
    assert measured(noisy_reference(1e-3, 1e-2), []).floor.weights is None
    assert (
        measured(noisy_reference(1e-3, 1e-2), [Recovery(truth_of(reference(), 0), {}, np.zeros((0, 0)))]).floor.weights
        is None
    )


def test_under_autocast_the_coarser_dtypes_floors_hold() -> None:
    runs = [observe(Split.parse(split), right) for split in SPLITS]

    def of(**arguments: bool) -> tuple[float, float]:
        found = judge(check(SPLITS, training_arguments=arguments), runs, CONTROL, reference()).tolerances
        return found.loss, found.gradient

    assert of() == (1e-5, 1e-5)
    assert of(bf16=True) == (2e-3, 2e-2)
    assert of(fp16=True) == (5e-4, 5e-3)
