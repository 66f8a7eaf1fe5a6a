"""What changed between two reports, and what that comes to."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from accumcheck.compare.changes import compare_reports, exit_code, worst_exit_code
from accumcheck.errors import ConfigError
from accumcheck.record import Finding, ReferenceStep, Report, ToleranceOrigin
from accumcheck.record.comparison import Change
from tests.report import comparisons as pairs
from tests.report import examples


def codes(old: Report, new: Report, **allowed: bool) -> tuple[int, int]:
    """What ``compare`` and ``upgrade`` exit with, and what they do with ``--strict``."""
    changes = compare_reports(old, new)
    allowed = {"allow_drift": False, **allowed}
    plain, strict = (exit_code(changes, new, strict=strict, **allowed) for strict in (False, True))
    return plain, strict


def moved(report: Report, *, loss: float = 1.0, norm: float = 1.0, step: int = 2) -> Report:
    """The reference of one step times these factors."""
    return replace(
        report,
        reference=tuple(
            replace(one, loss=one.loss * loss, grad_norm=one.grad_norm * norm) if one.step == step else one
            for one in report.reference
        ),
    )


def test_equal_reports_changed_nothing() -> None:
    changes = compare_reports(examples.clean(), examples.clean())
    assert not any((changes.broken, changes.undecided, changes.drifts, changes.verdict.changed))
    assert not any((changes.findings_gone, changes.findings_new, changes.only_old, changes.only_new, changes.notes))
    assert changes.drift is not None
    assert (changes.drift.loss, changes.drift.grad_norm, changes.drift.beyond) == (0.0, 0.0, False)
    assert codes(examples.clean(), examples.clean()) == (0, 0)


def test_what_breaks_is_told_by_verdict_rule_split_and_finding() -> None:
    changes = compare_reports(examples.clean(), examples.llava_449())
    assert changes.broken
    assert changes.verdict == Change("pass", "fail")
    assert changes.loss_rule == changes.gradient_rule == Change("token-mean", "microbatch-mean*k")
    # the two have these splits in common; the control passes in both
    assert [(one.split, one.verdict.old, one.verdict.new) for one in changes.splits] == [
        ("1x128x1", "pass", "pass"),
        ("4x16x2", "pass", "fail"),
        ("4x1x32", "pass", "fail"),
    ]
    assert changes.only_old == ()
    assert changes.only_new == ("4x8x4", "8x1x16")
    assert [finding.id for finding in changes.findings_new] == ["weighting-rule"]
    assert changes.findings_gone == changes.findings_kept == ()
    assert changes.worst.old.gradient == pytest.approx(5.2e-8)
    assert changes.worst.new.gradient is not None
    assert changes.worst.new.gradient > 30  # 4x1x32: 32 times the right gradient
    assert codes(examples.clean(), examples.llava_449()) == (1, 1)


def test_a_split_that_the_new_report_lacks_is_not_a_pass() -> None:
    old, new = pairs.same_splits(), examples.clean()
    assert compare_reports(old, new).missing == ("4x8x4", "8x1x16")
    assert codes(old, new) == (3, 3)
    assert codes(old, new, allow_missing=True) == (0, 0)
    assert codes(new, old) == (0, 0)  # more splits than before


def test_a_split_that_was_skipped_in_the_new_report_alone_is_not_a_pass() -> None:
    allowed = examples.skipped(allowed=True)  # exit code 0 by --allow-skipped
    ran = replace(allowed, splits=(*allowed.splits[:2], examples.split("8x16x1")))
    assert compare_reports(ran, allowed).missing == ("8x16x1",)
    assert codes(ran, allowed) == (3, 3)
    assert codes(ran, allowed, allow_missing=True) == (0, 0)
    assert compare_reports(allowed, allowed).missing == ()
    assert codes(allowed, allowed) == (0, 0)


def test_a_fault_weighs_more_than_a_missing_split() -> None:
    new = examples.llava_449()
    new = replace(new, splits=new.splits[:2])
    assert codes(pairs.same_splits(), new) == (1, 1)


def test_what_is_fixed_is_gone() -> None:
    changes = compare_reports(examples.llava_449(), examples.clean())
    assert not changes.broken
    assert [finding.id for finding in changes.findings_gone] == ["weighting-rule"]
    assert codes(examples.llava_449(), pairs.same_splits()) == (0, 0)


def test_what_fails_in_both_is_no_regression_but_no_candidate_either() -> None:
    report = examples.llava_449()
    assert codes(report, report) == (0, 1)
    assert [finding.id for finding in compare_reports(report, report).findings_kept] == ["weighting-rule"]


def test_a_finding_with_another_rule_is_another_finding() -> None:
    old = examples.llava_449()
    other = replace(old.findings[0], loss_rule="microbatch-mean", gradient_rule="microbatch-mean")
    changes = compare_reports(old, replace(old, findings=(other,)))
    assert changes.findings_new == (other,)
    assert changes.findings_gone == old.findings


def test_a_split_that_fails_now_breaks_a_report_that_failed_before() -> None:
    old = examples.llava_449()
    healed = replace(old, splits=(*old.splits[:-1], replace(old.splits[-1], verdict="pass")))
    assert compare_reports(healed, old).broken
    assert not compare_reports(old, healed).broken


def test_a_run_that_fails_as_a_whole_breaks_what_did_not() -> None:
    old = examples.clean()
    new = replace(old, verdict="fail", exit_code=1, findings=(Finding("epoch", "fail", (), "too few steps"),))
    assert codes(old, new) == (1, 1)
    assert codes(new, new) == (0, 1)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (examples.clean, examples.undecided, (3, 3)),
        (examples.undecided, examples.clean, (3, 3)),
        (examples.undecided, examples.undecided, (3, 3)),
        (examples.undecided, examples.llava_449, (1, 1)),  # 1 wins over 3
        (examples.llava_449, examples.undecided, (3, 3)),
    ],
)
def test_what_could_not_be_decided_never_passes(old: object, new: object, expected: tuple[int, int]) -> None:
    assert callable(old)
    assert callable(new)
    assert codes(old(), new()) == expected


def test_one_wins_over_three_and_three_over_zero() -> None:
    assert [worst_exit_code(codes) for codes in ([], [0, 0], [0, 3], [3, 1, 0])] == [0, 0, 3, 1]


# --- drift of the reference -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "norm", "drifts"),
    [
        (1 + 1.9e-6, 1.0, False),  # 2e-6 is allowed of the loss,
        (1 + 2.1e-6, 1.0, True),
        (1.0, 1 - 2.9e-6, False),  # 3e-6 of the gradient norm
        (1.0, 1 - 3.1e-6, True),
        (math.nan, 1.0, True),
        (1.0, math.inf, True),
    ],
)
def test_the_reference_may_move_by_the_tolerance(loss: float, norm: float, drifts: bool) -> None:
    old = examples.clean()
    new = moved(old, loss=loss, norm=norm)
    assert compare_reports(old, new).drifts is drifts
    assert codes(old, new) == ((1, 1) if drifts else (0, 0))
    assert codes(old, new, allow_drift=True) == (0, 0)


def test_the_larger_of_both_tolerances_holds() -> None:
    old = examples.clean()
    assert old.tolerances is not None
    lax = replace(old, tolerances=replace(old.tolerances, loss=1e-3, origins={}))
    for before, after in ((old, moved(lax, loss=1 + 9e-4)), (lax, moved(old, loss=1 + 9e-4))):
        drift = compare_reports(before, after).drift
        assert drift is not None
        assert not drift.beyond
        assert drift.allowed_loss == 1e-3


def test_how_coarsely_the_log_rounds_is_no_excuse_for_the_reference() -> None:
    old = examples.clean()
    assert old.tolerances is not None
    # five times the noise of 1.1e-7, plus what four decimals of a log cost: the sum is allowed of a reported loss
    origin = ToleranceOrigin("noise", floor=1e-7, noise=1.1e-7, safety=5.0, rounding=1e-3)
    old = replace(old, tolerances=replace(old.tolerances, loss=1.00055e-3, origins={"loss": origin}))
    changes = compare_reports(old, moved(old, loss=1 + 1e-6))
    assert changes.drift is not None
    assert changes.drift.allowed_loss == pytest.approx(5.5e-7)
    assert changes.drifts


def test_a_tolerance_that_the_user_gave_holds_as_given() -> None:
    old = examples.clean()
    assert old.tolerances is not None
    origin = ToleranceOrigin("configuration", floor=1e-7, noise=1.1e-7, safety=5.0, rounding=0.0)
    old = replace(old, tolerances=replace(old.tolerances, loss=0.01, origins={"loss": origin}))
    assert not compare_reports(old, moved(old, loss=1.009)).drifts
    assert compare_reports(old, moved(old, loss=1.011)).drifts


def test_the_step_that_moved_most_is_told() -> None:
    old = examples.clean()
    new = moved(moved(old, loss=1.01, step=3), norm=1.5, step=1)
    drift = compare_reports(old, new).drift
    assert drift is not None
    assert drift.step == 1
    assert drift.loss == pytest.approx(0.01)
    assert drift.grad_norm == pytest.approx(0.5)
    assert drift.grad_norms.new == pytest.approx(1.5 * drift.grad_norms.old)


def test_other_tokens_are_drift_however_equal_the_loss() -> None:
    old = examples.clean()
    new = replace(old, reference=(replace(old.reference[0], tokens=3873), *old.reference[1:]))
    drift = compare_reports(old, new).drift
    assert drift is not None
    assert drift.tokens == Change(3872, 3873)
    assert codes(old, new) == (1, 1)


def test_without_a_reference_drift_is_unknown() -> None:
    old = examples.clean()
    changes = compare_reports(old, replace(examples.undecided(), reference=()))
    assert changes.drift is None
    assert changes.no_drift_because == "at least one of the reports has no reference"
    assert not changes.drifts


def test_references_without_a_step_in_common_are_not_compared() -> None:
    old = examples.clean()
    new = replace(old, reference=(ReferenceStep(9, 1.0, 1.0, 10, 10),))
    assert compare_reports(old, new).drift is None


def test_a_reference_in_another_dtype_moves_for_a_reason() -> None:
    old = examples.clean()
    old = replace(old, config={**old.config, "model": {**old.config["model"], "dtype": "float32"}})
    new = replace(old, config={**old.config, "model": {**old.config["model"], "dtype": "bfloat16"}})
    changes = compare_reports(old, moved(new, loss=1.01))
    assert changes.drift is not None
    assert changes.drift.beyond
    assert not changes.drifts
    assert changes.no_drift_because == "different model.dtype"
    assert codes(old, moved(new, loss=1.01)) == (0, 0)


def test_reports_of_two_checks_are_refused_with_every_key() -> None:
    old = examples.clean()
    new = replace(old, config={**old.config, "seed": 1, "global_batch_size": 64})
    with pytest.raises(ConfigError) as refused:
        compare_reports(old, new)
    assert str(refused.value).splitlines() == [
        "the reports cannot be compared; their checks differ:",
        "global_batch_size: 128 in the old report, 64 in the new",
        "seed: nothing in the old report, 1 in the new",
    ]
