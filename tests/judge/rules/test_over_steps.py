"""Rules that hold from a step on, planted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import ReferenceObservation, Split, SplitObservation
from tests.judge.runs import GRADIENTS, LOSSES, SPLITS, TOKENS, Stack, Weights, check, dealt, observe, reference, right

Fed = list[list[list[int]]]
CONTROL = Split.parse("1x8x1")


def changing(split: Split, stacks: Sequence[Stack]) -> SplitObservation:
    """Step t as the t-th stack does it."""
    runs = [observe(split, stack) for stack in stacks]
    return replace(runs[0], steps=tuple(run.steps[position] for position, run in enumerate(runs)))


def judged(*stacks: Stack, splits: Sequence[str] = SPLITS) -> Judgement:
    runs = [changing(Split.parse(split), stacks) for split in splits]
    return judge(check(splits), runs, CONTROL, reference())


def times_k(split: Split, fed: Fed) -> Weights:
    return right(split, fed) * split.gradient_accumulation_steps


def running_count(split: Split, fed: Fed) -> Weights:
    """Divided by the tokens of step 1 and of this step: 65 and 66."""
    rows = [row for process in fed for batch in process for row in batch]
    weights = np.zeros(len(TOKENS))
    weights[rows] = TOKENS[rows] / (65 + 66)
    return weights


def test_a_rule_that_holds_from_step_2_on_is_named_so() -> None:
    found = judged(right, times_k)
    assert (found.loss_rule, found.gradient_rule) == ("token-mean*k", "token-mean*k")
    assert [split.verdict for split in found.splits] == ["pass", "fail", "fail", "fail", "fail"]
    (finding,) = found.findings
    assert finding.id == "token-mean*k"
    assert finding.explanation.startswith(
        "Step 1 is right; from step 2 on, the loss and the gradient are wrong. token-mean*k: the sum over"
    )


def test_a_counter_that_is_never_reset_is_told_by_its_numbers() -> None:
    assert (TOKENS[:8].sum(), TOKENS[8:].sum()) == (65, 66)
    found = judged(right, running_count)
    assert [split.verdict for split in found.splits] == ["fail"] * 5
    (finding,) = found.findings
    assert "Step 1 is right; from step 2 on" in finding.explanation
    assert "the same multiple of its right weight: 0.504 (step 2)" in finding.explanation  # 66 / 131
    assert "a count that is never reset" in finding.explanation


def test_what_holds_in_every_step_is_not_said_to_begin() -> None:
    (finding,) = judged(times_k, times_k).findings
    assert "from step" not in finding.explanation


def test_a_first_step_that_alone_is_wrong_is_no_rule_from_a_step_on() -> None:
    def odd(split: Split, fed: Fed) -> Weights:
        return right(split, fed) * np.where(np.arange(len(TOKENS)) % 3, 1.5, 0.9)

    found = judged(odd, right)
    assert found.gradient_rule == "unexplained"
    assert "from step" not in found.findings[0].explanation


def three_steps() -> ReferenceObservation:
    truth = reference()
    return replace(
        truth, membership=(*truth.membership, truth.membership[0]), grad_norms=(*truth.grad_norms, truth.grad_norms[0])
    )


def test_a_step_that_alone_is_wrong_between_right_ones_is_no_rule_from_a_step_on() -> None:
    def with_third(split: str, second: Stack) -> SplitObservation:
        run = changing(Split.parse(split), (right, second))
        third = replace(observe(run.split, right).steps[0], step=3)
        return replace(run, steps=(*run.steps, third))

    def odd(split: Split, fed: Fed) -> Weights:
        return right(split, fed) * np.where(np.arange(len(TOKENS)) % 3, 1.5, 0.9)

    config = replace(check(["1x8x1", "1x2x4"]), steps=3)
    found = judge(config, [with_third("1x8x1", right), with_third("1x2x4", odd)], CONTROL, three_steps())
    assert found.splits[1].gradient_rule == "unexplained"
    assert "from step" not in found.findings[0].explanation


def test_the_runs_made_here_are_what_they_say() -> None:
    assert dealt(Split.parse("1x8x1"), 1) == [[list(range(8, 16))]]
    assert (GRADIENTS.shape[0], LOSSES.shape[0]) == (16, 16)
