"""Numbers that are not finite are said to be the split's or the reference's, with the step."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from accumcheck.judge.judge import Judgement, judge
from accumcheck.judge.measure.not_finite import words_of_reference
from accumcheck.record import ReferenceObservation, Split, SplitObservation
from tests.judge.detectors.seen import CONTROL
from tests.judge.runs import SPLITS, TOKENS, check, observe, reference, right


def broken(text: str, value: float, step: int = 1) -> SplitObservation:
    """A right split with the loss, gradient and norm of one step (from 0) spoiled."""
    run = observe(Split.parse(text), right)
    one = run.steps[step]
    spoiled = replace(
        one,
        loss=value,
        grad_norms=dict.fromkeys(one.grad_norms, math.nan),
        gradients={process: np.full_like(gradient, math.nan) for process, gradient in one.gradients.items()},
    )
    return replace(run, steps=tuple(spoiled if at == step else other for at, other in enumerate(run.steps)))


def judged(truth: ReferenceObservation, *observations: SplitObservation) -> Judgement:
    given = {one.split: one for one in observations}
    runs = [given.get(Split.parse(text)) or observe(Split.parse(text), right) for text in SPLITS]
    with np.errstate(all="ignore"):
        return judge(check(SPLITS), runs, CONTROL, truth)


def spoiled_reference(sample: int, tokens: int = 3) -> ReferenceObservation:
    truth, losses, counts = reference(), reference().losses.copy(), TOKENS.copy()
    losses[sample], counts[sample] = math.nan, tokens
    return replace(truth, losses=losses, tokens=counts)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_splits_own_numbers_fail_it_with_their_step(value: float) -> None:
    found = judged(reference(), broken("1x2x4", value))
    (finding,) = found.findings
    assert (finding.id, finding.severity, finding.splits) == ("not-finite", "fail", ("1x2x4",))
    assert finding.summary == (
        f"loss is {value:g} in step 2, gradient norm is nan in step 2; the reference's are finite"
    )
    assert {str(one.split): one.verdict for one in found.splits} == {
        text: "fail" if text == "1x2x4" else "pass" for text in SPLITS
    }
    assert next(one.reason for one in found.splits if one.verdict == "fail") == finding.summary


def test_the_references_own_numbers_are_no_splits_fault() -> None:
    found = judged(spoiled_reference(3))
    (finding,) = found.findings
    assert finding.id == "no-reference"
    assert "its own loss or gradient is not finite: sample 3 of step 1, fed alone" in finding.summary
    assert {one.verdict for one in found.splits} == {"error"}
    assert {one.reason for one in found.splits} == {"the reference's own numbers are not finite"}


def test_where_both_have_them_no_split_is_blamed() -> None:
    found = judged(spoiled_reference(9), *(broken(text, math.nan) for text in SPLITS))
    assert {one.verdict for one in found.splits} == {"error"}
    finding, other = found.findings
    assert (finding.id, other.id) == ("not-finite", "no-reference")
    assert finding.severity == "error"
    assert finding.summary.endswith("the reference's are not finite either")


def test_a_sample_that_predicts_nothing_may_have_any_loss() -> None:
    assert words_of_reference(spoiled_reference(3, tokens=0)) == ""
    assert words_of_reference(spoiled_reference(3)) == "sample 3 of step 1"


def test_finite_numbers_have_no_such_finding() -> None:
    assert judged(reference()).findings == ()
