"""A penalty on the weights in every micro-batch's loss: divided by k it is right, and else it is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import ReferenceObservation, Split, SplitObservation
from tests.judge.measure.test_by_control import CONTROL, TEXTS, observed, undecided
from tests.judge.runs import WIDTH, B, check

PENALTY = np.random.default_rng(5).normal(size=WIDTH) * 0.1


def with_penalty(text: str, share: float) -> SplitObservation:
    """A split each of whose backward passes adds a share of the penalty, on every process."""
    run = observed(text)
    steps = []
    for step in run.steps:
        each: dict[int, npt.NDArray[np.floating[Any]]] = {
            process: parts + share * PENALTY for process, parts in step.contributions.items()
        }
        applied = sum(parts.sum(axis=0) for parts in each.values()) / len(each)
        steps.append(
            replace(
                step,
                contributions=each,
                gradients=dict.fromkeys(each, applied),
                grad_norms=dict.fromkeys(each, float(np.linalg.norm(applied))),
            )
        )
    return replace(run, steps=tuple(steps))


def judged(*, divided: bool) -> Judgement:
    def share(k: int) -> float:
        return 1 / k if divided else 1.0

    runs = [with_penalty(text, share(Split.parse(text).gradient_accumulation_steps)) for text in TEXTS]
    truth: ReferenceObservation = undecided()
    alone = replace(truth, gradients=truth.gradients + share(B) * PENALTY)  # the program trained one row at a time
    return judge(check(TEXTS), runs, CONTROL, alone)


def test_where_it_is_not_divided_the_splits_that_accumulate_fail_and_it_is_counted() -> None:
    found = judged(divided=False)
    assert [one.verdict for one in found.splits] == ["pass", "fail", "fail"]
    (finding,) = [one for one in found.findings if one.severity == "fail"]
    assert (finding.id, finding.splits) == ("term-per-microbatch", ("1x2x4", "2x2x2"))
    assert "4 times in 1x2x4, 2 times in 2x2x2, 1 times in the control 1x8x1" in finding.summary


def test_where_it_is_divided_all_pass() -> None:
    found = judged(divided=True)
    assert [one.verdict for one in found.splits] == ["pass"] * 3
    assert [one.id for one in found.findings] == ["accuracy-not-judged"]


@pytest.mark.parametrize("text", TEXTS)
def test_the_runs_are_what_they_are_called(text: str) -> None:
    split, step = Split.parse(text), with_penalty(text, 1.0).steps[0]
    extra = step.gradients[0] - observed(text).steps[0].gradients[0]
    assert extra == pytest.approx(split.gradient_accumulation_steps * PENALTY)
