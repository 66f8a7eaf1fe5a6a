"""Gradients of earlier steps in later ones, made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import Split, SplitObservation
from tests.judge.runs import GRADIENTS, check, observe, reference, right

CONTROL, ACCUMULATED = map(Split.parse, ("1x8x1", "1x2x4"))


def with_gradient_of_step_2(gradient: np.ndarray) -> Judgement:
    run = observe(ACCUMULATED, right)
    second = replace(
        run.steps[1], gradients={0: gradient}, grad_norms={0: float(np.linalg.norm(gradient))}, logged_grad_norm=None
    )
    faulty: SplitObservation = replace(run, steps=(run.steps[0], second))
    return judge(check([str(CONTROL), str(ACCUMULATED)]), [observe(CONTROL, right), faulty], CONTROL, reference())


def test_a_gradient_that_is_not_set_to_zero_between_steps_is_named() -> None:
    run = observe(ACCUMULATED, right)
    found = with_gradient_of_step_2(run.steps[1].gradients[0] + run.steps[0].gradients[0])
    assert [split.verdict for split in found.splits] == ["pass", "fail"]
    (finding,) = found.findings
    assert finding.id == "leaked-samples"
    assert "the gradient of step 2 contains gradients of earlier steps: 8 samples" in finding.summary


def test_one_leaked_sample_is_counted() -> None:
    own = observe(ACCUMULATED, right).steps[1].gradients[0]
    found = with_gradient_of_step_2(own + 0.2 * GRADIENTS[3])
    assert "gradients of earlier steps: 1 sample" in found.findings[0].summary


def test_a_gradient_that_earlier_samples_do_not_explain_is_no_leak() -> None:
    own = observe(ACCUMULATED, right).steps[1].gradients[0]
    found = with_gradient_of_step_2(own + 0.2 * np.random.default_rng(5).normal(size=own.shape))
    assert [finding.id for finding in found.findings] == ["token-mean,unexplained"]
