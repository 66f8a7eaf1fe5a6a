"""Reports whose parts contradict each other, each by one change to a report that is whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from accumcheck.errors import ConfigError
from accumcheck.record import Before, Divergence, Finding, Report, Split, SplitResult, ToleranceOrigin
from accumcheck.saved.consistent import check_consistent
from tests.report import examples

ORIGIN = ToleranceOrigin("dtype", 2e-6, 1.1e-7, 5.0)  # of the loss, in these reports
CLEAN, FAILING, UNDECIDED = examples.clean(), examples.llava_449(), examples.undecided()


@pytest.mark.parametrize(
    "report",
    [
        *(made() for made in examples.EVERY),
        examples.warned(strict=True),
        examples.skipped(allowed=True),
    ],
)
def test_a_whole_report_is_consistent(report: Report) -> None:
    check_consistent(report)


def split(report: Report, at: int, **changes: Any) -> Report:
    """The report with another split."""
    splits = list(report.splits)
    splits[at] = replace(splits[at], **changes)
    return replace(report, splits=tuple(splits))


def step(report: Report, at: int, number: int = 0, **changes: Any) -> Report:
    """The report with another step of a split."""
    steps = list(report.splits[at].steps)
    steps[number] = replace(steps[number], **changes)
    return split(report, at, steps=tuple(steps))


def tolerances(report: Report, **changes: Any) -> Report:
    assert report.tolerances is not None
    return replace(report, tolerances=replace(report.tolerances, **{"origins": {}, **changes}))


def as_fail(report: Report) -> Report:
    return replace(report, verdict="fail", exit_code=1)


def config(report: Report, **changes: Any) -> Report:
    return replace(report, config={**report.config, **changes})


def test_a_failure_is_expected_only_where_the_configuration_says_so() -> None:
    report = examples.expected()
    named = {"rule": "microbatch-mean*k", "reason": "transformers#34191", "splits": ["1x128x1"]}
    for forged in (
        config(report, expect=[]),
        config(report, expect=None),
        config(report, expect=[{**named, "splits": None, "reason": "another"}]),
        config(report, expect=[named]),
    ):
        with pytest.raises(ConfigError, match=r"splits\[1\]\.verdict: found warn for 4x16x2, expected fail"):
            check_consistent(forged)


def test_a_strict_run_with_nothing_but_expected_failures_passes() -> None:
    check_consistent(replace(examples.expected(), strict=True))


TWICE = (*CLEAN.splits, CLEAN.splits[1])
UNKNOWN = Finding("x", "fail", ("8x8x2",), "no such split")
NAMED = Finding("samples-differ", "fail", ("4x16x2",), "other samples")
BEFORE = Before("no-loss-kwargs", "", "pass", 1, None, None, ())


@pytest.mark.parametrize(
    ("report", "said"),
    [
        # the run
        (replace(FAILING, exit_code=0), "exit_code: found fail with exit code 0, expected fail with exit code 1"),
        (replace(CLEAN, exit_code=3), "exit_code: found pass with exit code 3, expected pass with exit code 0"),
        (replace(CLEAN, exit_code=130), "exit_code: found pass with exit code 130"),
        (
            replace(FAILING, verdict="pass", exit_code=0),
            "verdict: found pass with exit code 0, expected fail with exit",
        ),
        (
            replace(UNDECIDED, verdict="pass", exit_code=0),
            "verdict: found pass with exit code 0, expected error with ex",
        ),
        (replace(examples.warned(), verdict="pass"), "verdict: found pass with exit code 0, expected warn with exit"),
        (replace(examples.warned(), strict=True), "verdict: found warn with exit code 0, expected fail with exit code"),
        (replace(examples.skipped(), exit_code=0), "exit_code: found skipped with exit code 0"),
        (replace(CLEAN, splits=()), "verdict: found pass with exit code 0, expected error with exit code 3"),
        (replace(CLEAN, before=BEFORE), "before.exit_code: found 1, but its verdict is pass"),
        # the splits as a whole
        (replace(CLEAN, splits=TWICE), "splits[1].split: 4x16x2 appears 2 times in the report"),
        (config(CLEAN, splits=["1x128x1", "4x16x2", "2x64x1"]), "config.splits: 2x64x1 was requested"),
        (replace(CLEAN, control="8x8x2"), 'control: found "8x8x2", which is not among splits'),
        (replace(CLEAN, control=""), 'control: found "", which is not among splits'),
        (split(CLEAN, 1, is_control=True), 'splits[1].is_control: found true, but control is "1x128x1"'),
        (replace(CLEAN, findings=(UNKNOWN,)), "findings[0].splits[0]: found 8x8x2, which is not among splits"),
        # one split
        (split(UNDECIDED, 2, verdict="pass"), "splits[2].verdict: found pass for 4x8x4, expected error: its status is"),
        (split(UNDECIDED, 3, verdict="pass"), "splits[3].verdict: found pass for 8x16x1, expected skipped: its status"),
        (split(CLEAN, 1, status="error"), "splits[1].steps: found 3, but status is error"),
        (split(CLEAN, 1, steps=()), "splits[1].verdict: found pass for 4x16x2, expected error: nothing was compared"),
        (split(CLEAN, 1, steps=CLEAN.splits[1].steps[:2]), "splits[1].verdict: found pass for 4x16x2, expected error"),
        (split(CLEAN, 1, steps=CLEAN.splits[1].steps[1:]), "splits[1].steps[0].step: found 2, expected 1"),
        (
            as_fail(split(CLEAN, 1, verdict="fail")),
            "splits[1].verdict: found fail for 4x16x2, expected pass: every num",
        ),
        (
            replace(CLEAN, findings=(NAMED,)),
            "splits[1].verdict: found pass for 4x16x2, expected fail: a finding of sev",
        ),
        # its numbers
        (
            split(FAILING, 1, verdict="pass"),
            "splits[1].verdict: found pass for 4x16x2, expected fail: steps[0].vs_cont",
        ),
        (
            split(FAILING, 1, verdict="warn"),
            "splits[1].verdict: found warn for 4x16x2, expected fail: steps[0].vs_cont",
        ),
        (
            step(CLEAN, 1, vs_control=Divergence(0.0, 0.0, 1e-4)),
            "steps[0].vs_control.gradient is 0.0001, but only 1e-0",
        ),
        (
            step(CLEAN, 1, 2, vs_reference=Divergence(0.0, 0.1, 0.0)),
            "steps[2].vs_reference.grad_norm is 0.1, but only",
        ),
        (step(CLEAN, 1, vs_reference=Divergence(math.nan, 0.0, 0.0)), "steps[0].vs_reference.loss is nan"),
        (step(CLEAN, 1, loss=math.nan), "steps[0]: loss nan and gradient norm"),
        (step(CLEAN, 1, grad_norm=math.inf), "are not both finite"),
        (step(CLEAN, 1, loss=21.6684), "steps[0].vs_control.loss is 1, but only 2e-06 is allowed"),
        (step(CLEAN, 0, grad_norm=2.4682), "splits[0].verdict: found pass for 1x128x1"),
        (step(CLEAN, 1, loss=None), "steps[0].loss is not known"),
        (step(CLEAN, 1, vs_reference=Divergence(None, None, None)), "steps[0].vs_reference is not known"),
        (step(CLEAN, 1, vs_control=Divergence(None, None, None)), "steps[0].vs_control is not known"),
        (step(CLEAN, 1, tokens=3000), "splits[1].steps[0].tokens: found 3000, but the reference has 3872"),
        (step(CLEAN, 1, samples=127), "splits[1].steps[0].samples: found 127, but the reference has 128"),
        # what they are compared with
        (
            replace(CLEAN, reference=()),
            "splits[0].verdict: found pass for 1x128x1, expected error: there is no reference",
        ),
        (replace(CLEAN, reference=CLEAN.reference[1:]), "reference[0].step: found 2, expected 1"),
        (replace(CLEAN, reference=CLEAN.reference[:2]), "reference: found 2 steps, but config.steps is 3"),
        (config(replace(CLEAN, reference=CLEAN.reference[:2]), steps=2), "it has 3 steps, and the reference has 2"),
        (
            replace(CLEAN, reference=tuple(replace(one, loss=9.0) for one in CLEAN.reference)),
            "vs_reference.loss is",
        ),
        (
            replace(CLEAN, tolerances=None),
            "splits[0].verdict: found pass for 1x128x1, expected error: nothing was comp",
        ),
        (tolerances(CLEAN, loss=math.inf), 'tolerances.loss: found "Infinity", expected a finite number'),
        (tolerances(CLEAN, gradient=math.nan), 'tolerances.gradient: found "NaN", expected a finite number'),
        (tolerances(CLEAN, weights=-1.0), "tolerances.weights: found -1.0, expected a finite number"),
        (
            tolerances(FAILING, origins={"loss": ORIGIN}, loss=99.0),
            "tolerances.loss: found 99, but tolerances.origins.loss gives 2e-06",
        ),
        (
            config(CLEAN, tolerances={"grad_norm": 1e-7}),
            "tolerances.grad_norm: found 3e-06, but tolerances.origins.grad_norm gives 1e-07",
        ),
        (tolerances(CLEAN, origins={"x": ORIGIN}), "tolerances.origins: found"),
        # the configuration
        (config(CLEAN, severity={"token-mean": "maybe"}), 'config.severity.token-mean: found "maybe", expected ignore'),
        (config(CLEAN, severity=["fail"]), 'config.severity: found ["fail"], expected an object'),
        (config(CLEAN, model="llava"), 'config.model: found "llava", expected an object'),
    ],
)
def test_a_contradiction_is_named_with_its_place(report: Report, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_consistent(report)
    lines = str(refused.value).splitlines()
    assert said in lines[0]
    assert lines[-1] == "the report contradicts itself; run the check again"


def lenient(label: str) -> SplitResult:
    """A split 1.6 % too low, as the configuration allows."""
    return examples.split(label, 0.9844, rule="device-mean", gradient=0.0156, control=label == "1x128x1")


def test_what_the_configuration_makes_of_a_rule_counts() -> None:
    report = replace(CLEAN, splits=(CLEAN.splits[0], lenient("4x16x2")))
    check_consistent(config(report, severity={"device-mean": "ignore"}))
    warned = replace(split(report, 1, verdict="warn"), verdict="warn")
    check_consistent(config(warned, severity={"device-mean": "warn"}))
    for severity in ({}, {"device-mean": "warn"}, {"sample-mean": "ignore"}):
        with pytest.raises(ConfigError, match=r"splits\[1\]\.verdict: found pass for 4x16x2, expected (fail|warn)"):
            check_consistent(config(report, severity=severity))


def test_a_finding_makes_a_split_fail_whose_numbers_do_not_show_the_fault() -> None:
    check_consistent(replace(as_fail(split(CLEAN, 1, verdict="fail")), findings=(NAMED,)))


def test_a_finding_makes_a_split_a_warning() -> None:
    padded = Finding("padded-samples", "warn", ("4x16x2",), "fed twice")
    report = replace(CLEAN, verdict="warn", findings=(padded,))
    check_consistent(split(report, 1, verdict="warn"))
    check_consistent(report)  # what it says need not be of the gradient
    with pytest.raises(ConfigError, match="found warn for 4x1x32, expected pass"):
        check_consistent(split(report, 2, verdict="warn"))


def test_a_model_that_depends_on_its_batch_makes_a_difference_a_warning() -> None:
    depends = Finding("batch-dependent-model", "warn", (), "batch norm")
    off = examples.split("4x16x2", 1.02, gradient=0.3, verdict="warn")
    report = replace(CLEAN, verdict="warn", splits=(CLEAN.splits[0], off), findings=(depends,))
    check_consistent(report)
    with pytest.raises(ConfigError, match="found warn for 4x16x2, expected fail"):
        check_consistent(split(report, 1, gradient_rule="microbatch-mean*k"))


def test_a_split_cannot_be_compared_with_a_control_that_was_fed_other_samples() -> None:
    padded = Finding("padded-samples", "warn", ("1x128x1",), "fed twice")
    report = replace(split(CLEAN, 0, verdict="warn"), verdict="warn", findings=(padded,))
    check_consistent(step(report, 1, vs_control=Divergence(None, None, None)))


def test_a_rule_that_no_version_knows_is_as_bad_as_no_rule() -> None:
    check_consistent(split(FAILING, 1, loss_rule="mean-of-mine", gradient_rule="(["))
    with pytest.raises(ConfigError, match="found warn for 4x16x2, expected fail"):
        check_consistent(split(FAILING, 1, loss_rule="mean-of-mine", gradient_rule="([", verdict="warn"))


@pytest.mark.parametrize("change", [lambda report: replace(report, splits=report.splits * 40)])
def test_of_many_contradictions_the_first_are_listed(change: Callable[[Report], Report]) -> None:
    with pytest.raises(ConfigError) as refused:
        check_consistent(change(CLEAN))
    lines = str(refused.value).splitlines()
    assert len(lines) == 7
    assert lines[5] == "and 115 more"  # 3 splits, 40 times each, of which 5 are listed


def test_splits_that_are_labels_in_other_spelling_are_the_same() -> None:
    check_consistent(config(CLEAN, splits=["1 x 128 x 1", str(Split(4, 16, 2)), "4X1X32", 7]))
