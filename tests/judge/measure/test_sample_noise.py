"""The weight of one sample is judged by its own noise: what is rounding passes, and what is more does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.judge import Judgement, judge
from accumcheck.judge.measure.recovery import System
from accumcheck.judge.measure.sample_noise import FALSE_ALARMS, SampleNoise
from accumcheck.judge.measure.student import beyond, quantile
from accumcheck.record import Divergence, Recomputation, ReferenceObservation, Split, SplitObservation
from tests.judge.runs import GRADIENTS, SPLITS, TOKENS, B, check, observe, reference, right

Array = npt.NDArray[np.float64]

# --- three samples with gradients along the axes: all can be worked out by hand ---------------------------------------

AXES = np.diag([1.0, 2.0, 4.0])
RIGHT = np.array([0.5, 0.25, 0.25])
NORM = float(np.sqrt(0.5**2 + 0.5**2 + 1.0**2))


def noise(again: list[list[float]], dtype: str = "bfloat16", gradients: Array = AXES) -> SampleNoise:
    """``again``: of each recomputation how far each weight is off."""
    weights = [RIGHT + np.array(off) for off in again]
    found = SampleNoise.of(weights, RIGHT, System.of(gradients), dtype, 0.0, tests=3)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_mean_and_spread_by_hand() -> None:
    """Weights off by (3, 1, 0), (1, 1, 0) and (2, 1, 0) percent: the mean is (2, 1, 0), twice missed by 1 percent."""
    found = noise([[0.03, 0.01, 0.0], [0.01, 0.01, 0.0], [0.02, 0.01, 0.0]])
    assert found.off == pytest.approx([0.02, 0.01, 0.0])
    assert found.degrees == 6  # two recomputations more than one, in three directions
    # 1 percent of a gradient of norm 1, twice; and a third more for the mean of three
    spread = np.sqrt(2 * 0.01**2 / 6 * (1 + 1 / 3))
    assert found.noise == pytest.approx(spread / NORM)
    # noise of one size in every direction moves the weight of a gradient four times as long by a quarter; the first
    # sample's own weight scatters more than that
    own = np.sqrt(2 * 0.01**2 / 2 * (1 + 1 / 3))
    assert found.errors == pytest.approx([own, spread / 2, spread / 4])
    assert beyond(found.times, 6) == pytest.approx(FALSE_ALARMS / 3, rel=1e-6)


def test_the_limit_is_where_it_is_said_to_be() -> None:
    found = noise([[0.03, 0.01, 0.0], [0.01, 0.01, 0.0], [0.02, 0.01, 0.0]])
    limit = found.times * found.errors
    for at in range(3):
        for share in (0.99, 1.01):
            off = np.zeros(3)
            off[at] = share * limit[at]
            assert found.worst(RIGHT + found.off + off) == (at, pytest.approx(share))
            assert found.fits(RIGHT + found.off + off, RIGHT) == (share < 1)


def test_a_lucky_measurement_allows_half_a_unit_in_the_last_place() -> None:
    found = noise([[0.0, 0.0, 0.0]] * 3)
    assert found.allowed == pytest.approx(RIGHT * 2.0**-8)
    assert found.worst(RIGHT)[1] == 0


def test_a_loss_in_bfloat16_may_be_rounded_three_times_more() -> None:
    system = System.of(AXES)
    assert system is not None
    found = SampleNoise.of([RIGHT] * 3, RIGHT, system, "bfloat16", 2.0**-8, tests=3)
    assert found is not None
    assert found.allowed == pytest.approx(RIGHT * 4 * 2.0**-8)


def test_a_sample_in_the_span_of_others_is_not_judged() -> None:
    mixed = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    found = noise([[0.0, 0.0, 0.0]] * 3, gradients=mixed)
    assert np.isinf(found.errors).all()  # any two of them make the third
    assert found.worst(RIGHT + 1.0)[1] == 0
    assert found.as_record() is None
    alone = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert list(np.isinf(noise([[0.0, 0.0, 0.0]] * 3, gradients=alone).errors)) == [True, True, False]


def test_other_rules_than_the_right_one_are_left_to_the_whole() -> None:
    found = noise([[0.0, 0.0, 0.0]] * 3)
    assert found.fits(2 * RIGHT + 0.1, 2 * RIGHT)
    assert not found.fits(1.05 * RIGHT + 0.1, 1.05 * RIGHT)


def test_two_numbers_say_too_little() -> None:
    system = System.of(AXES)
    assert system is not None
    assert SampleNoise.of([RIGHT], RIGHT, system, "bfloat16", 0.0, tests=3) is None
    assert SampleNoise.of([RIGHT, RIGHT], RIGHT, system, "bfloat16", 0.0, tests=3) is None  # three degrees of freedom


def test_right_runs_exceed_it_no_more_often_than_is_said() -> None:
    """Normal noise, drawn: of 2,000 runs of eight samples at most 1 % are to exceed a limit that is made for 1 %."""
    draw = np.random.default_rng(3)
    gradients = draw.normal(size=(8, 400))
    system = System.of(gradients)
    assert system is not None
    ideal = TOKENS[:8] / TOKENS[:8].sum()
    runs, exceeded = 2000, 0
    for _ in range(runs):
        bias = draw.normal(size=400)  # of the samples' own gradients, which all computations share
        drawn = [ideal @ gradients + 0.01 * (bias + draw.normal(size=400)) for _ in range(5)]
        *again, one = [weights for weights, _ in system.solve(drawn)]
        found = SampleNoise.of(again, ideal, system, "float32", 0.0, tests=8)
        assert found is not None
        assert found.degrees == 24
        exceeded += dataclasses.replace(found, times=quantile(0.01 / 8, 24)).worst(one)[1] > 1
    assert 0.001 * runs < exceeded <= 0.015 * runs


# --- whole runs -------------------------------------------------------------------------------------------------------

MEMBERS = list(range(B))
TRUTH = TOKENS[MEMBERS] / TOKENS[MEMBERS].sum() @ GRADIENTS[MEMBERS]
SPREAD = 4e-4
"""In each direction, of the gradient's norm: as measured on a tiny Llama in bfloat16."""
SHARED = 7e-4
"""The same, for what the reference's own samples are rounded by."""


def in_bfloat16(seed: int, passes: int = 4) -> tuple[ReferenceObservation, Array]:
    """A reference with noise of that size in its recomputations, and the rounding that all of them share."""
    draw = np.random.default_rng(seed)
    norm = float(np.linalg.norm(TRUTH))
    span, _ = np.linalg.qr(GRADIENTS[MEMBERS].T)
    shared = span @ draw.normal(size=B) * SHARED * norm
    again = []
    for number in range(passes):
        gradient = TRUTH + shared + span @ draw.normal(size=B) * SPREAD * norm
        whole = float(np.linalg.norm(gradient - TRUTH)) / norm
        again.append(Recomputation("shuffled", 1 + number % 2, Divergence(1e-4, 1e-4, whole), gradient))
    found = dataclasses.replace(
        reference(),
        noise=Divergence(1e-4, 1e-4, 2e-3),
        recomputed=tuple(again),
        model=dataclasses.replace(reference().model, dtype="bfloat16"),
    )
    return found, shared


def judged(seed: int, error: float, tolerances: ToleranceConfig | None = None) -> Judgement:
    """Runs with rounding of their own, and one weight of step 1 wrong in 1x1x8 and 2x1x4."""
    truth, shared = in_bfloat16(seed)
    draw = np.random.default_rng(100 + seed)
    norm = float(np.linalg.norm(TRUTH))
    span, _ = np.linalg.qr(GRADIENTS[MEMBERS].T)

    def run(text: str) -> SplitObservation:
        observed = observe(Split.parse(text), right)
        first = observed.steps[0]
        gradient = first.gradients[0] + shared + span @ draw.normal(size=B) * SPREAD * norm
        if text in ("1x1x8", "2x1x4"):
            gradient = gradient + error * TOKENS[5] / TOKENS[MEMBERS].sum() * GRADIENTS[5]
        norms = dict.fromkeys(first.gradients, float(np.linalg.norm(gradient)))
        step = dataclasses.replace(
            first, gradients=dict.fromkeys(first.gradients, gradient), grad_norms=norms, logged_grad_norm=norms[0]
        )
        return dataclasses.replace(observed, steps=(step, *observed.steps[1:]))

    config = check(SPLITS, **({} if tolerances is None else {"tolerances": tolerances}))
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, dtype="bfloat16"))
    return judge(config, [run(text) for text in SPLITS], Split.parse("1x8x1"), truth)


@pytest.mark.parametrize("seed", range(20))
def test_bfloat16_shows_one_weight_that_is_off_by_two_percent(seed: int) -> None:
    found = judged(seed, 0.02)
    assert {str(one.split): one.verdict for one in found.splits} == {
        **dict.fromkeys(("1x8x1", "1x2x4", "2x2x2"), "pass"),
        **dict.fromkeys(("1x1x8", "2x1x4"), "fail"),
    }
    assert found.exit_code == 1
    assert found.gradient_rule == "unexplained"
    # the tolerance of all weights together would have let it pass
    assert found.tolerances.weights is not None
    assert found.splits[4].steps[0].vs_reference.weights is not None
    assert found.splits[4].steps[0].vs_reference.weights <= found.tolerances.weights
    (finding,) = found.findings
    assert finding.splits == ("2x1x4", "1x1x8")
    assert "sample 5 weighs 1.0" in finding.summary
    assert "times what it should, and rounding explains 0.0" in finding.summary


@pytest.mark.parametrize("seed", range(20))
def test_the_same_rounding_alone_passes(seed: int) -> None:
    found = judged(seed, 0.0)
    assert (found.verdict, found.gradient_rule) == ("pass", "token-mean")
    assert found.tolerances.sample is not None
    assert found.tolerances.sample.degrees == 24
    assert found.tolerances.sample.least < 0.02


def test_what_the_user_allows_the_gradient_holds_for_every_sample() -> None:
    found = judged(0, 0.02, ToleranceConfig(gradient=0.05))
    assert found.verdict == "pass"
    assert found.tolerances.sample is None
    assert found.splits[4].steps[0].vs_reference.sample is None


def test_a_reference_that_was_recomputed_once_judges_no_single_sample() -> None:
    truth, _ = in_bfloat16(0, passes=1)
    found = judge(check(SPLITS), [observe(Split.parse(text), right) for text in SPLITS], Split.parse("1x8x1"), truth)
    assert found.tolerances.sample is None
