"""Weights that depend on the place in the window, planted by hand: named where they fit, and only there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.judge import Judgement, judge
from accumcheck.judge.measure.compare import Recovered
from accumcheck.judge.rules.fit import Fit, fit_gradient
from accumcheck.judge.rules.step import Step
from accumcheck.record import MicroBatch, Split
from accumcheck.record.rule import UNEXPLAINED
from tests.judge.runs import SPLITS, TOKENS, Stack, Weights, check, observe, reference, right

Fed = list[list[list[int]]]
CONTROL = Split.parse("1x8x1")
LATER = [text for text in SPLITS if Split.parse(text).gradient_accumulation_steps > 1]


def by_place(times: Callable[[int, int], float], base: Stack = right) -> Stack:
    """A stack that weighs micro-batch j of k by ``times(j, k)``, and what is in it as ``base`` does."""

    def stack(split: Split, fed: Fed) -> Weights:
        weights = base(split, fed)
        for process in fed:
            for place, batch in enumerate(process, start=1):
                weights[batch] *= times(place, len(process))
        return weights

    return stack


def mean_of_means(split: Split, fed: Fed) -> Weights:
    weights = np.zeros(len(TOKENS))
    for process in fed:
        for batch in process:
            share = TOKENS[batch] / TOKENS[batch].sum()
            weights[batch] = share / split.num_processes / split.gradient_accumulation_steps
    return weights


def judged(stack: Stack, splits: Sequence[str] = SPLITS, loss: Stack = right, **changes: object) -> Judgement:
    observations = [observe(Split.parse(split), stack, loss) for split in splits]
    return judge(check(splits, **changes), observations, Split.parse(splits[0]), reference())


def last(j: int, k: int) -> float:
    return float(j == k)


def first(j: int, k: int) -> float:
    return float(j == 1)


def halves_back(j: int, k: int) -> float:
    return 0.5 ** (k - j)


def grows(j: int, k: int) -> float:
    return 1.5 ** (j - 1)


def inner(j: int, k: int) -> float:
    return float(k == 1 or j in (2, 3))


@pytest.mark.parametrize(
    ("stack", "rule"),
    [
        (by_place(last), "last-microbatch"),
        (by_place(first), "first-microbatch"),
        (by_place(halves_back), "window-geometric(0.5)"),
        (by_place(grows), "window-geometric(1.5)"),
        (by_place(inner), "window-partial"),
        (by_place(last, mean_of_means), "microbatch-mean*last-microbatch"),
        (by_place(lambda j, k: k * last(j, k)), "last-microbatch*k"),
        (by_place(lambda j, k: first(j, k) / k, mean_of_means), "microbatch-mean*first-microbatch/k"),
        (by_place(lambda j, k: 2.0 ** (k - j)), "window-geometric(2)"),
    ],
)
def test_a_planted_place_is_named_in_every_split_that_has_a_window(stack: Stack, rule: str) -> None:
    found = judged(stack)
    assert (found.loss_rule, found.gradient_rule) == ("token-mean", rule)
    assert found.exit_code == 1
    by_split = {str(split.split): split for split in found.splits}
    assert {by_split[text].gradient_rule for text in LATER} == {rule}
    assert {by_split[text].verdict for text in LATER} == {"fail"}


def test_a_window_of_two_keeps_both_where_only_the_inner_ones_of_longer_windows_are_lost() -> None:
    found = judged(by_place(lambda j, k: float(j in (1, k))))  # as DeepSpeed 0.18.9 does with an offloaded optimizer
    assert found.gradient_rule == "window-partial"
    rules = {str(split.split): (split.gradient_rule, split.verdict) for split in found.splits}
    of_two = {text for text in SPLITS if Split.parse(text).gradient_accumulation_steps <= 2}
    assert {rules[text] for text in of_two} == {("token-mean", "pass")}
    assert {rules[text] for text in SPLITS if text not in of_two} == {("window-partial", "fail")}
    (finding,) = found.findings
    assert "Of each window, these micro-batches count: 1, 4 of 4 in 1x2x4" in finding.explanation


def test_a_loss_that_is_weighted_like_the_gradient_takes_its_name() -> None:
    stack = by_place(last)
    assert judged(stack, loss=stack).loss_rule == "last-microbatch"


def test_what_is_lost_of_each_window_is_said() -> None:
    found = judged(by_place(inner))
    (finding,) = found.findings
    assert "Of each window, these micro-batches count: 2, 3 of 4 in 1x2x4; 2 of 2 in 2x2x2;" in finding.explanation
    assert "only some of the micro-batches of each window enter the update" in finding.explanation
    (lost,) = judged(by_place(last)).findings
    assert "only the last micro-batch of each window enters the update" in lost.explanation
    assert "sampler" not in lost.advice


def test_what_is_lost_is_listed_as_dropped_beside_the_ideal_weight() -> None:
    found = judged(by_place(last))
    # 1x2x4: of step 1 samples 6 and 7 are left, of step 2 samples 14 and 15; most are gone, so that the median is 0
    weights = found.splits[1].sample_weights
    assert weights is not None
    assert weights.dropped == (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13)
    assert weights.values == pytest.approx([0, 0, 0, 0, 0, 0, 1, 1], abs=1e-6)


def test_the_table_decides_between_two_names_of_the_same_weights() -> None:
    found = judged(by_place(last), ("1x8x1", "1x4x2", "2x2x2"))
    assert found.gradient_rule == "last-microbatch"
    assert found.alternatives["gradient"] == ["window-partial"]
    back = judged(by_place(first), ("1x8x1", "1x4x2", "2x2x2"))
    assert back.gradient_rule == "first-microbatch"


def test_with_one_micro_batch_there_is_no_place() -> None:
    found = judged(lambda split, fed: right(split, fed) * 0.5 * (split == CONTROL) + 1e-3, ("1x8x1", "2x4x1"))
    assert found.gradient_rule == "unexplained"


@pytest.mark.parametrize("tolerance", [None, 8e-3])  # as measured, and as of bfloat16
@pytest.mark.parametrize("seed", range(12))
def test_weights_that_nothing_made_have_no_name(seed: int, tolerance: float | None) -> None:
    draw = np.random.default_rng(seed)

    def of_samples(split: Split, fed: Fed) -> Weights:
        return right(split, fed) * draw.uniform(0.2, 2.0, size=len(TOKENS))

    of_places = {(split, j): draw.uniform(0.2, 2.0) for split in SPLITS for j in range(1, 9)}

    def of_windows(split: Split, fed: Fed) -> Weights:
        return by_place(lambda j, k: of_places[str(split), j])(split, fed)

    for stack in (of_samples, of_windows):
        found = judged(stack, tolerances=ToleranceConfig(gradient=tolerance))
        assert found.gradient_rule == "unexplained"
        named = {str(split.split): split.gradient_rule for split in found.splits}
        # of one process and two micro-batches, or without any window, too little is known
        assert {named[text] for text in ("1x2x4", "2x1x4", "1x1x8")} == {"unexplained"}


def fitted(weights: Sequence[float], k: int) -> Fit:
    """Of one step of 1x1xk, whose samples have one token each and gradients at right angles to each other."""
    ones = np.ones(k, dtype=np.int64)
    step = Step(Split(1, 1, k), tuple(MicroBatch(0, (index,)) for index in range(k)), ones, ones)
    ideal = np.full(k, 1 / k)
    found = Recovered(tuple(range(k)), ideal * np.array(weights), ideal, 0.0, 1.0, 1.0)
    return fit_gradient([(step, found, np.eye(k))], 1e-6, 1e-5)


def test_of_two_weights_one_that_is_right_makes_no_series_of_the_other() -> None:
    assert fitted((0.7, 1.0), 2).rule == UNEXPLAINED
    assert str(fitted((0.0, 1.0), 2).rule) == "last-microbatch"
    assert str(fitted((0.49, 0.7, 1.0), 3).rule) == "window-geometric(0.7)"
    assert fitted((0.5, 0.7, 1.0), 3).rule == UNEXPLAINED


def test_a_series_that_hardly_changes_is_not_told_from_rounding() -> None:
    assert fitted((0.98, 0.99, 1.0), 3).rule == UNEXPLAINED
    assert str(fitted((0.9409, 0.97, 1.0), 3).rule) == "window-geometric(0.97)"


def test_both_directions_of_a_series_are_known() -> None:
    back, on = fitted((0.49, 0.7, 1.0), 3).rule.window, fitted((1.0, 0.7, 0.49), 3).rule.window
    assert back is not None
    assert on is not None
    assert (back.ratio, back.grows) == (pytest.approx(0.7), False)
    assert (on.ratio, on.grows) == (pytest.approx(0.7), True)


def test_a_sample_that_alone_is_dropped_is_no_micro_batch() -> None:
    def stack(split: Split, fed: Fed) -> Weights:
        weights = right(split, fed)
        weights[3] = 0
        return weights

    found = judged(stack)
    assert {split.gradient_rule for split in found.splits} == {"dropped-samples"}
