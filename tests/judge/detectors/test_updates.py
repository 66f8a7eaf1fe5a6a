"""Updates whose gradients agree: what clips, decays or applies them otherwise is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from accumcheck.judge.detectors.updates import differing_updates, spoilt_weights
from accumcheck.record import Split, SplitObservation, StepObservation
from accumcheck.record.observed import HeldWeights
from tests.judge.detectors.seen import evidence
from tests.judge.runs import SPLITS, WIDTH, observe, right, sum_of_means

Stack = Callable[[StepObservation], StepObservation]


def adam(step: StepObservation, rate: float = 1e-3) -> StepObservation:
    """The first step of Adam: every entry moves by nearly the learning rate, whatever its size."""
    gradient = step.gradients[0]
    change = -rate * gradient / (np.abs(gradient) + 1e-8)
    return replace(
        step,
        learning_rates=(1e-3,),
        weight_decays=(0.01,),
        change=change,
        change_norm=float(np.linalg.norm(change)),
    )


def run(text: str, change: Stack, stack: Callable[..., object] = right) -> SplitObservation:
    made = observe(Split.parse(text), stack)  # type: ignore[arg-type]
    return replace(made, steps=tuple(change(step) for step in made.steps))


def found(odd: SplitObservation) -> dict[str, tuple[str, ...]]:
    runs = [odd if str(odd.split) == text else run(text, adam) for text in SPLITS]
    return {one.finding.id: one.finding.splits for one in differing_updates(evidence(runs))}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda step: replace(adam(step), weight_decays=(0.04,)), "weight-decay-differs"),
        (lambda step: replace(adam(step), clip_coefficient=0.5), "clipping-differs"),
        (lambda step: adam(step, rate=2e-3), "weight-change-differs"),
    ],
)
def test_what_is_done_with_a_right_gradient_is_named(change: Stack, expected: str) -> None:
    assert found(run("1x2x4", change)) == {expected: ("1x2x4",)}


def test_the_control_and_the_others_are_right() -> None:
    assert found(run("1x2x4", adam)) == {}


WEIGHTS = np.linspace(0.5, 2.0, WIDTH)
HELD = HeldWeights(WEIGHTS, np.full(WIDTH, 2.0**-23))


def decayed(times: float, *, rate: float = 1e-3, decay: float = 0.5) -> Stack:
    """The weights shrink by the rate times the decay, so many times."""

    def change(step: StepObservation) -> StepObservation:
        made = adam(step)
        assert made.change is not None
        return replace(made, weight_decays=(decay,), change=made.change - times * rate * decay * WEIGHTS)

    return change


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (4, {"weight-decay-per-microbatch": ("1x2x4",)}),  # k is 4
        (1, {}),
        (2.5, {"weight-decay-differs": ("1x2x4",)}),
    ],
)
def test_a_decay_that_comes_as_often_as_micro_batches_is_named(
    times: float, expected: dict[str, tuple[str, ...]]
) -> None:
    runs = [replace(run(text, decayed(times if text == "1x2x4" else 1)), weights=HELD) for text in SPLITS]
    detected = list(differing_updates(evidence(runs)))
    assert {one.finding.id: one.finding.splits for one in detected} == expected
    for one in detected:
        assert "the weights shrink by" in one.finding.explanation


def noisy(step: StepObservation) -> StepObservation:
    """Some entries are nothing but noise, of which Adam makes whole steps."""
    gradient = step.gradients[0].copy()
    gradient[:5] = np.random.default_rng(len(step.micro_batches)).normal(size=5) * 1e-9
    return adam(replace(step, gradients=dict.fromkeys(step.gradients, gradient)))


def test_noise_that_an_adaptive_optimizer_makes_large_is_no_alarm() -> None:
    runs = [run(text, noisy) for text in SPLITS]
    assert list(differing_updates(evidence(runs))) == []


def test_of_a_wrong_gradient_no_more_is_said() -> None:
    assert found(run("1x2x4", lambda step: adam(step, rate=5e-3), sum_of_means)) == {}


def test_weights_that_every_split_spoils_are_a_warning() -> None:
    runs = [run(text, lambda step: replace(adam(step), change_norm=float("nan"))) for text in SPLITS]
    (detected,) = spoilt_weights(evidence(runs))
    assert (detected.finding.id, detected.finding.severity) == ("update-not-finite", "warn")
    assert "step 1" in detected.finding.summary
    assert "learning rate" in detected.finding.advice
    assert list(spoilt_weights(evidence([run(text, adam) for text in SPLITS]))) == []


def test_weights_that_are_spoilt_in_float16_name_the_dtype_and_what_to_set() -> None:
    half = replace(HELD, unit=np.full_like(HELD.unit, 2.0**-10))
    runs = [
        replace(run(text, lambda step: replace(adam(step), change_norm=float("inf"))), weights=half) for text in SPLITS
    ]
    (detected,) = spoilt_weights(evidence(runs))
    assert detected.finding.summary.endswith("at step 1 of 1x8x1: the weights are float16")
    assert "model.dtype float32 with bf16: true" in detected.finding.advice


def test_of_a_gradient_that_is_no_number_nothing_else_can_come() -> None:
    def broken(step: StepObservation) -> StepObservation:
        return replace(adam(step), change_norm=float("nan"), grad_norms={0: float("nan")})

    assert list(spoilt_weights(evidence([run(text, broken) for text in SPLITS]))) == []
