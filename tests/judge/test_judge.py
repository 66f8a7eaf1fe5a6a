"""The judge on runs whose faults are known because they were planted by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.judge import Judgement, judge
from accumcheck.record import Split, SplitObservation
from tests.judge.runs import (
    LABELS,
    SPLITS,
    STEPS,
    TOKENS,
    Stack,
    Weights,
    check,
    dealt,
    observe,
    reference,
    right,
    sum_of_means,
)

CONTROL = Split.parse("1x8x1")
Fed = list[list[list[int]]]


def judged(stack: Stack, loss_stack: Stack | None = None, **changes: object) -> Judgement:
    observations = [observe(Split.parse(split), stack, loss_stack) for split in SPLITS]
    return judge(check(SPLITS, **changes), observations, CONTROL, reference())


def mean_of_means(split: Split, fed: Fed) -> Weights:
    return sum_of_means(split, fed) / split.gradient_accumulation_steps


def device_mean(split: Split, fed: Fed) -> Weights:
    weights = np.zeros(len(TOKENS))
    for process in fed:
        mine = [row for batch in process for row in batch]
        for row in mine:
            weights[row] = TOKENS[row] / sum(TOKENS[other] for other in mine) / split.num_processes
    return weights


def unshifted(split: Split, fed: Fed) -> Weights:
    rows = [row for process in fed for batch in process for row in batch]
    return right(split, fed) * TOKENS[rows].sum() / LABELS[rows].sum()


def unshifted_over_k(split: Split, fed: Fed) -> Weights:
    return unshifted(split, fed) / split.gradient_accumulation_steps


def unshifted_by_device(split: Split, fed: Fed) -> Weights:
    weights = np.zeros(len(TOKENS))
    for process in fed:
        mine = [row for batch in process for row in batch]
        for row in mine:
            weights[row] = TOKENS[row] / sum(LABELS[other] for other in mine) / split.num_processes
    return weights


def sample_mean(split: Split, fed: Fed) -> Weights:
    weights = np.zeros(len(TOKENS))
    weights[[row for process in fed for batch in process for row in batch]] = 1 / 8
    return weights


def times_k(split: Split, fed: Fed) -> Weights:
    return right(split, fed) * split.gradient_accumulation_steps


def over_n(split: Split, fed: Fed) -> Weights:
    return right(split, fed) / split.num_processes


def times_k_and_n(split: Split, fed: Fed) -> Weights:
    return sum_of_means(split, fed) * split.num_processes


@pytest.mark.parametrize(
    ("stack", "rule", "verdicts"),
    [
        (right, "token-mean", ["pass"] * 5),
        (sum_of_means, "microbatch-mean*k", ["pass", "fail", "fail", "fail", "fail"]),
        (mean_of_means, "microbatch-mean", ["pass", "fail", "fail", "fail", "fail"]),
        (device_mean, "device-mean", ["pass", "pass", "fail", "fail", "pass"]),
        (unshifted, "unshifted-token-mean", ["warn"] * 5),
        (unshifted_by_device, "unshifted-device-mean", ["fail"] * 5),
        # a control has no k: what is wrong with it is the count alone, which is a warning
        (unshifted_over_k, "unshifted-token-mean/k", ["warn", "fail", "fail", "fail", "fail"]),
        (sample_mean, "sample-mean", ["fail"] * 5),
        (times_k, "token-mean*k", ["pass", "fail", "fail", "fail", "fail"]),
        (over_n, "token-mean/n", ["pass", "pass", "fail", "fail", "pass"]),
        (times_k_and_n, "microbatch-mean*k*n", ["pass", "fail", "fail", "fail", "fail"]),
    ],
)
def test_a_planted_rule_is_named_and_judged(stack: Stack, rule: str, verdicts: list[str]) -> None:
    found = judged(stack)
    assert (found.loss_rule, found.gradient_rule) == (rule, rule)
    assert [split.verdict for split in found.splits] == verdicts
    assert found.exit_code == (1 if "fail" in verdicts else 0)


def test_the_seeds_numbers() -> None:
    found = judged(sum_of_means)
    scales = {str(split.split): split.sample_weights.scale for split in found.splits if split.sample_weights}
    assert scales == pytest.approx({"1x8x1": 1, "1x2x4": 4, "2x2x2": 2, "2x1x4": 4, "1x1x8": 8})
    # 1x1x8, step 1: sample i weighs 1 where it should weigh c_i / 65: 65 / 17 for the longest, 65 / 2 for the shortest
    assert TOKENS[:8].sum() == 65
    worst = found.splits[4].sample_weights
    assert worst is not None
    assert worst.min == pytest.approx(min(65 / 17, 66 / 19))
    assert worst.max == pytest.approx(66 / 2)
    (finding,) = found.findings
    assert finding.splits == ("1x2x4", "2x2x2", "2x1x4", "1x1x8")
    assert (finding.severity, finding.loss_rule) == ("fail", "microbatch-mean*k")


def test_loss_and_gradient_are_named_apart() -> None:
    found = judged(sum_of_means, loss_stack=mean_of_means)  # the log is right, the gradient is not
    assert (found.loss_rule, found.gradient_rule) == ("microbatch-mean", "microbatch-mean*k")
    only_log = judged(right, loss_stack=times_k)
    assert (only_log.loss_rule, only_log.gradient_rule) == ("token-mean*k", "token-mean")
    assert [split.verdict for split in only_log.splits] == ["pass", "fail", "fail", "fail", "fail"]


def test_severity_can_be_overridden() -> None:
    assert judged(sum_of_means, severity={"microbatch-mean*k": "warn"}).exit_code == 0
    assert judged(unshifted, severity={"unshifted-token-mean": "fail"}).exit_code == 1
    quiet = judged(unshifted, severity={"unshifted-token-mean": "ignore"})
    assert (quiet.verdict, quiet.findings) == ("pass", ())


def test_strict_makes_a_warning_a_failure() -> None:
    observations = [observe(Split.parse(split), unshifted) for split in SPLITS]
    assert judge(check(SPLITS), observations, CONTROL, reference(), strict=True).exit_code == 1
    assert judge(check(SPLITS), observations, CONTROL, reference()).exit_code == 0


def test_a_dropped_sample_is_found() -> None:
    def without_sample_3(split: Split, fed: Fed) -> Weights:
        weights = right(split, fed)
        if split.gradient_accumulation_steps > 1:
            weights[3] = 0
        return weights

    found = judged(without_sample_3)
    dropped = [split.sample_weights.dropped for split in found.splits if split.sample_weights]
    assert dropped == [(), (3,), (3,), (3,), (3,)]
    assert (found.gradient_rule, found.splits[1].gradient_rule) == ("dropped-samples", "dropped-samples")
    assert found.exit_code == 1


def test_a_duplicated_sample_is_found() -> None:
    def twice_sample_5(split: Split, fed: Fed) -> Weights:
        weights = right(split, fed)
        if split.num_processes > 1:
            weights[5] *= 2
        return weights

    found = judged(twice_sample_5)
    duplicated = [split.sample_weights.duplicated for split in found.splits if split.sample_weights]
    assert duplicated == [(), (), (5,), (5,), ()]
    assert (found.gradient_rule, found.splits[2].gradient_rule) == ("duplicated-samples", "duplicated-samples")
    assert found.exit_code == 1


def test_a_fault_without_a_formula_is_unexplained() -> None:
    def odd(split: Split, fed: Fed) -> Weights:
        weights = right(split, fed)
        return weights * np.where(np.arange(len(weights)) % 2, 1.5, 0.9) if split.num_processes == 2 else weights

    found = judged(odd)
    assert found.gradient_rule == "unexplained"
    assert [split.gradient_rule for split in found.splits] == [
        "token-mean",
        "token-mean",
        "unexplained",
        "unexplained",
        "token-mean",
    ]
    assert [split.verdict for split in found.splits] == ["pass", "pass", "fail", "fail", "pass"]


def over_rows(split: Split, fed: Fed) -> Weights:
    return right(split, fed) / split.per_device_train_batch_size


def test_a_loss_that_is_divided_by_the_rows_of_its_micro_batch_is_named() -> None:
    found = judged(over_rows)
    assert (found.loss_rule, found.gradient_rule) == ("token-mean/b", "token-mean/b")
    # b = 1 in the last two: they are right, and differ from the control
    (wrong, apart) = found.findings
    assert (wrong.splits, apart.splits) == (("1x8x1", "1x2x4", "2x2x2"), ("2x1x4", "1x1x8"))
    assert (wrong.id, apart.id) == ("token-mean/b", "control-differs")
    assert "divided by the per-device batch size b" in wrong.explanation
    assert judged(right).alternatives["gradient"] == []


def test_a_dropped_sample_is_found_beside_a_scale_that_a_rule_explains() -> None:
    found = judged(over_rows)
    assert {split.sample_weights.dropped for split in found.splits if split.sample_weights} == {()}


def changed(observation: SplitObservation, **fields: object) -> SplitObservation:
    first = dataclasses.replace(observation.steps[0], **fields)  # type: ignore[arg-type]
    return dataclasses.replace(observation, steps=(first, *observation.steps[1:]))


def judged_with(broken: SplitObservation, position: int, **options: Any) -> Judgement:
    observations = [observe(Split.parse(split), right) for split in SPLITS]
    observations[position] = broken
    return judge(check(SPLITS), observations, CONTROL, reference(), **options)


def test_processes_that_disagree_are_unsynchronised() -> None:
    sound = observe(Split.parse("2x2x2"), right)
    apart = {**sound.steps[0].gradients, 1: sound.steps[0].gradients[1] * 1.01}
    found = judged_with(changed(sound, gradients=apart), 2)
    assert found.splits[2].verdict == "fail"
    assert found.splits[2].gradient_rule == "unsynchronised"
    assert found.findings[0].id == "unsynchronised"
    assert "0.01" in found.findings[0].summary


def test_the_rule_of_a_faulty_split_is_not_the_runs() -> None:
    runs = [observe(Split.parse(split), times_k) for split in SPLITS]
    first = runs[2].steps[0]
    torn = {**first.gradients, 1: first.gradients[1] * 1.01}
    runs[2] = changed(runs[2], gradients=torn)
    found = judge(check(SPLITS), runs, CONTROL, reference())
    assert found.gradient_rule == "token-mean*k"
    assert [split.gradient_rule for split in found.splits] == [
        *("token-mean*k", "token-mean*k", "unsynchronised", "token-mean*k", "token-mean*k")
    ]
    assert found.splits[2].loss_rule == "token-mean*k"
    assert [finding.splits for finding in found.findings] == [("2x2x2",), ("1x2x4", "2x1x4", "1x1x8")]


def test_where_every_split_is_faulty_the_run_has_no_rule() -> None:
    splits = ("2x4x1", "2x2x2")
    runs = []
    for split in splits:
        run = observe(Split.parse(split), right)
        runs.append(changed(run, gradients={**run.steps[0].gradients, 1: run.steps[0].gradients[1] * 1.01}))
    found = judge(check(splits), runs, Split.parse("2x4x1"), reference())
    assert (found.loss_rule, found.gradient_rule, found.exit_code) == (None, None, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_fails(value: float) -> None:
    sound = observe(Split.parse("1x2x4"), right)
    assert judged_with(changed(sound, loss=value), 1).splits[1].verdict == "fail"
    gradient = sound.steps[0].gradients[0].copy()
    gradient[4] = value
    found = judged_with(changed(sound, gradients={0: gradient}, grad_norms={0: value}), 1)
    assert (found.splits[1].verdict, found.exit_code) == ("fail", 1)


def test_another_order_of_samples_across_steps_fails() -> None:
    def shifted(split: Split, step: int) -> Fed:
        return dealt(split, (step + 1) % STEPS)

    found = judged_with(observe(Split.parse("1x2x4"), right, fed=shifted), 1)
    assert found.splits[1].verdict == "fail"
    assert found.findings[0].id == "samples-differ"


def test_a_step_that_is_missing_is_no_pass() -> None:
    sound = observe(Split.parse("1x2x4"), right)
    found = judged_with(dataclasses.replace(sound, steps=sound.steps[:1]), 1)
    assert (found.splits[1].verdict, found.exit_code) == ("error", 3)
    assert found.splits[1].reason == "1 optimizer steps were seen, 2 were requested"


def test_what_did_not_run_is_undecided() -> None:
    crashed = SplitObservation(Split.parse("1x2x4"), "error", "it broke")
    assert (judged_with(crashed, 1).verdict, judged_with(crashed, 1).exit_code) == ("error", 3)
    skipped = SplitObservation(Split.parse("1x2x4"), "skipped", "needs 4 GPUs, 1 present")
    assert (judged_with(skipped, 1).verdict, judged_with(skipped, 1).exit_code) == ("skipped", 3)
    assert judged_with(skipped, 1, allow_skipped=True).exit_code == 0


def test_a_divergence_wins_over_a_crash() -> None:
    observations = [observe(Split.parse(split), sum_of_means) for split in SPLITS]
    observations[1] = SplitObservation(Split.parse("1x2x4"), "error", "it broke")
    assert judge(check(SPLITS), observations, CONTROL, reference()).exit_code == 1


def test_without_a_reference_nothing_passes() -> None:
    observations = [observe(Split.parse(split), right) for split in SPLITS]
    found = judge(check(SPLITS), observations, CONTROL, None, no_reference="it broke")
    assert (found.verdict, found.exit_code) == ("error", 3)
    assert {split.verdict for split in found.splits} == {"error"}


def test_a_reference_that_misses_a_step_is_none() -> None:
    observations = [observe(Split.parse(split), right) for split in SPLITS]
    short = dataclasses.replace(reference(), membership=reference().membership[:1])
    found = judge(check(SPLITS), observations, CONTROL, short)
    assert found.exit_code == 3
    assert "it covers 1 of 2 steps" in found.findings[0].summary


def test_a_lost_control_leaves_the_reference() -> None:
    crashed = SplitObservation(CONTROL, "error", "it broke")
    found = judged_with(crashed, 0)
    assert [split.verdict for split in found.splits] == ["error", "pass", "pass", "pass", "pass"]
    assert found.exit_code == 3


def test_a_logged_norm_that_is_not_the_gradients_is_a_warning() -> None:
    sound = observe(Split.parse("1x2x4"), right)
    found = judged_with(changed(sound, logged_grad_norm=sound.steps[0].grad_norms[0] * 4), 1)
    assert (found.verdict, found.exit_code) == ("warn", 0)
    assert found.findings[0].id == "logged-grad-norm"


def test_splits_that_are_right_where_the_control_is_not_are_told_apart_from_it() -> None:
    def wrong_without_accumulation(split: Split, fed: Fed) -> Weights:
        return right(split, fed) * (1.5 if split.gradient_accumulation_steps == 1 else 1.0)

    found = judged(wrong_without_accumulation)
    assert [split.verdict for split in found.splits] == ["fail"] * 5
    (apart,) = [finding for finding in found.findings if finding.id == "control-differs"]
    accumulating = [split for split in SPLITS if Split.parse(split).gradient_accumulation_steps > 1]
    assert apart.splits == tuple(accumulating)
    assert (
        apart.summary
        == "loss and gradient match the reference; they differ from those of the control, 1x8x1, which is wrong"
    )
    (others,) = [finding for finding in found.findings if finding.id != "control-differs"]
    assert set(others.splits) == set(SPLITS) - set(accumulating)
    assert "loss 1.50" in others.summary


def test_splits_that_are_as_wrong_as_the_control_do_not_blame_it() -> None:
    found = judged(sum_of_means)
    assert "control-differs" not in [finding.id for finding in found.findings]


def test_a_control_that_is_right_as_well_is_not_called_wrong() -> None:
    # each within the tolerance of 1e-2 of the reference, on either side, and further than that from the other
    def on_either_side(split: Split, fed: Fed) -> Weights:
        return right(split, fed) * (0.993 if split == CONTROL else 1.007)

    found = judged(on_either_side, tolerances=ToleranceConfig(loss=1e-2, grad_norm=1e-2, gradient=1e-2))
    assert "fail" in [split.verdict for split in found.splits]
    assert "control-differs" not in [finding.id for finding in found.findings]
