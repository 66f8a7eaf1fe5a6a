"""Splits that make another number of optimizer steps of the same data."""

from __future__ import annotations

from dataclasses import replace

from accumcheck.judge.detectors.step_totals import other_step_totals
from accumcheck.record import Split
from tests.judge.detectors.epochs import ACCUMULATED, DISTRIBUTED, DUE, judged, run
from tests.judge.detectors.seen import evidence
from tests.judge.runs import STEPS, observe, right


def test_an_epoch_that_one_split_ends_early_is_named_with_both_numbers() -> None:
    found = judged(run(ACCUMULATED, DUE[:3]), run(DISTRIBUTED, DUE))
    (finding,) = [one for one in found.findings if one.id == "steps-differ"]
    assert finding.splits == (str(ACCUMULATED),)
    assert "1x2x4 makes 3 optimizer steps of the data that the control 1x8x1 trains in 4" in finding.summary
    assert [split.verdict for split in found.splits] == ["pass", "fail", "pass"]


def test_a_program_that_ends_of_itself_is_judged_where_the_control_has_made_all_steps() -> None:
    whole = observe(Split.parse("1x2x4"), right)
    short = replace(whole, steps=whole.steps[:1])
    seen = evidence([short], stack="script")
    assert STEPS == 2
    (detected,) = other_step_totals(seen)
    assert detected.finding.splits == ("1x2x4",)
    assert detected.failed == {short.split}


def test_a_control_that_ends_early_is_an_error_and_nothing_is_compared_with_it() -> None:
    whole = observe(Split.parse("1x8x1"), right)
    seen = evidence([replace(whole, steps=whole.steps[:1])], stack="script")
    assert [str(one.split) for one in seen.ran if one.status == "error"] == ["1x8x1"]
    assert list(other_step_totals(seen)) == []


def test_a_stack_of_ours_that_makes_too_few_steps_is_an_error() -> None:
    whole = observe(Split.parse("1x2x4"), right)
    seen = evidence([replace(whole, steps=whole.steps[:1])])
    assert [str(one.split) for one in seen.ran if one.status == "error"] == ["1x2x4"]


def test_the_same_number_everywhere_is_right() -> None:
    assert list(other_step_totals(evidence())) == []
