"""What is said of two reports, in a sentence each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from accumcheck.record.comparison import Comparison
from accumcheck.report.blocks import Head
from accumcheck.report.parts.pair import conclusion, facts, in_full, notes, overall, subject
from tests.report import comparisons as examples
from tests.report import examples as reports


def said(comparison: Comparison) -> str:
    return str(conclusion(comparison.pairs[0], comparison))


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (
            examples.broken(),
            "fail: fails under transformers 4.49.0, not under transformers 5.23.0: microbatch-mean*k "
            "(exit code 1: divergence)",
        ),
        (
            examples.fewer_splits(),
            "could not be decided: no result in the new report for 4x8x4, 8x1x16 (exit code 3: undecided)",
        ),
        (
            examples.fewer_splits(allow_missing=True),
            "pass: passes in both; no result in the new report for 4x8x4, 8x1x16, as allowed (exit code 0)",
        ),
        (
            examples.fixed(),
            "pass: fails under transformers 5.23.0, not under transformers 4.49.0: microbatch-mean*k (exit code 0)",
        ),
        (
            examples.failing_in_both(),
            "fail: fails in both, not a regression: microbatch-mean*k (exit code 1: divergence)",
        ),
        (
            examples.failing_in_both(strict=False),
            "no worse: fails in both, not a regression: microbatch-mean*k (exit code 0)",
        ),
        (
            examples.drifting(),
            "fail: the reference drifts: the same weights and data give a different loss or gradient under "
            "transformers 4.49.0 (exit code 1: drift)",
        ),
        (
            examples.drifting(allow_drift=True),
            "pass: passes in both; the reference drifts, as allowed (exit code 0)",
        ),
        (
            examples.undecided(),
            "could not be decided: this check did not finish under transformers 4.49.0; pass under "
            "transformers 5.23.0 (exit code 3: undecided)",
        ),
    ],
)
def test_what_a_pair_comes_to(comparison: Comparison, expected: str) -> None:
    assert said(comparison) == expected


def test_failing_by_another_rule_is_said() -> None:
    other = replace(reports.llava_449(), loss_rule="microbatch-mean", gradient_rule="microbatch-mean*k")
    comparison = examples.comparison(examples.pair(reports.llava_449(), other, strict=True), strict=True)
    assert said(comparison).startswith(
        "fail: fails in both, with another rule: loss microbatch-mean, gradient microbatch-mean*k, before: "
        "microbatch-mean*k (exit"
    )


def test_more_failing_splits_are_said() -> None:
    new = reports.llava_449()
    old = replace(new, splits=(*new.splits[:-1], replace(new.splits[-1], verdict="pass")))
    assert said(examples.comparison(examples.pair(old, new))).startswith(
        "fail: more splits fail under transformers 4.49.0 than under transformers 5.23.0: microbatch-mean*k"
    )


def test_facts_stand_beside_each_other() -> None:
    comparison = examples.broken()
    assert facts(comparison.pairs[0], comparison) == [
        ("verdict", "pass -> fail"),
        ("weighting", "loss and gradient token-mean -> microbatch-mean*k"),
        ("worst", "gradient error 5.2e-08 -> 36.0"),
        ("reference", "no drift: loss changes by 0, gradient norm by 0 (allowed 2.0e-06 and 3.0e-06)"),
    ]


def test_drift_says_from_what_to_what_at_which_step_and_what_is_allowed() -> None:
    comparison = examples.drifting()
    told = dict(facts(comparison.pairs[0], comparison))["reference"]
    # step 1: 10.8342 times 1.01
    assert told == (
        "DRIFTS: loss 10.83 -> 10.94 (x 1.01), gradient norm 1.234 -> 1.234 (0), step 1 (allowed 2.0e-06 and 3.0e-06)"
    )
    comparison = examples.drifting(allow_drift=True)
    assert dict(facts(comparison.pairs[0], comparison))["reference"].startswith("drifts, as allowed: loss 10.83 -> ")


def test_drift_for_a_reason_says_nothing() -> None:
    old, new = examples.same_splits(), examples.drifted()
    comparison = examples.comparison(examples.pair(old, replace(new, config={**new.config, "steps": 2})))
    assert dict(facts(comparison.pairs[0], comparison))["reference"].startswith(
        "differs, but is not comparable (different steps): loss 10.83 -> 10.94"
    )
    assert comparison.exit_code == 0


def test_splits_of_one_side_are_named() -> None:
    comparison = examples.comparison(examples.pair(reports.clean(), reports.llava_449()))
    assert ("not compared", "4x8x4, 8x1x16: only under transformers 4.49.0") in facts(comparison.pairs[0], comparison)


def test_notes_say_what_is_new_gone_and_in_both_and_why_something_did_not_run() -> None:
    def headlines(comparison: Comparison) -> list[str]:
        return [note.headline for note in notes(comparison.pairs[0], comparison)]

    summary = "the reported loss and the gradient are 2 to 32 times too large"
    assert headlines(examples.broken())[0].startswith(f"4x16x2, 4x8x4, 8x1x16, 4x1x32: new: {summary}")
    assert headlines(examples.fixed())[0].startswith(f"4x16x2, 4x8x4, 8x1x16, 4x1x32: gone: {summary}")
    assert headlines(examples.failing_in_both())[0].startswith(f"4x16x2, 4x8x4, 8x1x16, 4x1x32: in both: {summary}")
    assert headlines(examples.undecided())[0] == (
        "4x8x4: under transformers 4.49.0: process 2 ended with exit code 1: OutOfMemoryError: CUDA out of memory"
    )


def test_versions_that_differ_are_told_with_an_arrow() -> None:
    assert subject(examples.broken().pairs[0]) == Head(
        "LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from llava-hf/llava-1.5-7b-hf",
        (
            (
                "transformers 5.23.0 -> 4.49.0",
                "accelerate 1.11.0 -> 1.2.1",
                "torch 2.13.0",
                "cpu",
                "41 s and 41 s",
            ),
        ),
    )


def test_of_several_those_are_told_in_full_that_did_not_come_out_well() -> None:
    comparison = examples.several()
    assert [pair.config for pair in in_full(comparison)] == ["configs/b.yaml", "configs/c.yaml"]
    assert str(overall(comparison)) == (
        "fail: 3 configurations: 1 worse, 1 could not be decided, 1 passes (exit code 1)"
    )


@pytest.mark.parametrize("make", [examples.broken, examples.undecided])
def test_a_single_one_is_told_whatever_it_comes_to(make: Callable[[], Comparison]) -> None:
    comparison = make()
    assert in_full(comparison) == comparison.pairs
    assert overall(comparison) == conclusion(comparison.pairs[0], comparison)
