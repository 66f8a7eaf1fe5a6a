"""Which published fault a finding is: all of faults.md's rows, and near misses in one respect each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accumcheck.judge.detectors.epoch_windows import windows_finding
from accumcheck.known.catalogue import known_faults
from accumcheck.known.matching import Circumstances, Fitted, circumstances, cite
from accumcheck.record import (
    Environment,
    Finding,
    LossProbe,
    MicroBatch,
    Split,
    SplitObservation,
    StepObservation,
    TrainedRecord,
)
from accumcheck.record.observed import Engine
from tests.judge.runs import reference

LLAVA = "LlavaForConditionalGeneration"


def cited(
    releases: dict[str, str],
    architecture: str,
    rule: str,
    gradient_rule: str | None = None,
    *,
    alternatives: tuple[str, ...] = (),
    **other: Any,
) -> list[str]:
    """The ids of what is cited for one finding."""
    finding = Finding(
        "x", "fail", ("1x2x4",), "s", advice="in general", loss_rule=rule, gradient_rule=gradient_rule or rule
    )
    run = Circumstances(releases, architecture, **other)
    fitted = Fitted((rule, *alternatives), (gradient_rule or rule, *alternatives))
    (found,) = cite([finding], run, fitted)
    ids = {fault.cited()["title"]: fault.id for fault in known_faults()}
    assert found.advice == ("" if found.known else "in general")
    return [ids[known["title"]] for known in found.known]


def deepspeed(release: str) -> dict[str, str]:
    return {**transformers("5.23.0"), "deepspeed": release}


def transformers(release: str) -> dict[str, str]:
    return {"transformers": release, "accelerate": "1.2.1"}


IGNORED: dict[str, Any] = {"token_count": "ignores", "count_passed": True}
DIVIDED: dict[str, Any] = {"token_count": "divides", "count_passed": True}
REJECTED: dict[str, Any] = {"token_count": "rejects", "count_passed": False}
SMOOTHED: dict[str, Any] = {**DIVIDED, "training_arguments": {"label_smoothing_factor": 0.1}}


@pytest.mark.parametrize(
    ("releases", "architecture", "rules", "run", "ids"),
    [
        (transformers("4.49.0"), LLAVA, ["microbatch-mean*k"], IGNORED, ["transformers-llava-ignores-count"]),
        (transformers("4.51.3"), LLAVA, ["microbatch-mean*k"], IGNORED, ["transformers-llava-ignores-count"]),
        (transformers("4.48.3"), LLAVA, ["microbatch-mean"], REJECTED, ["transformers-llava-mean-of-means"]),
        (transformers("4.45.2"), "LlamaForCausalLM", ["microbatch-mean"], REJECTED, ["transformers-mean-of-means"]),
        (
            transformers("4.49.0"),
            "LlamaForCausalLM",
            ["unshifted-device-mean"],
            DIVIDED,
            ["transformers-device-mean", "transformers-unshifted-count"],
        ),
        (
            transformers("4.46.2"),
            "LlamaForCausalLM",
            ["unshifted-token-mean"],
            DIVIDED,
            ["transformers-unshifted-count"],
        ),
        (
            transformers("5.9.0"),
            "LlamaForCausalLM",
            ["unshifted-token-mean"],
            DIVIDED,
            ["transformers-unshifted-count"],
        ),
        (transformers("5.9.0"), "GPT2LMHeadModel", ["unshifted-token-mean"], DIVIDED, ["transformers-unshifted-count"]),
        (
            transformers("5.23.0"),
            "GPT2LMHeadModel",
            ["unshifted-token-mean"],
            DIVIDED,
            ["transformers-unshifted-count-by-name"],
        ),
        (
            transformers("4.46.3"),
            "GPT2LMHeadModel",
            ["microbatch-mean", "microbatch-mean*k"],
            REJECTED,
            ["transformers-log-only-divided"],
        ),
        (
            transformers("4.48.0"),
            "LlamaForCausalLM",
            ["microbatch-mean*k"],
            {"token_count": "divides", "count_passed": False},
            ["transformers-448-count-withheld"],
        ),
        (
            transformers("4.57.6"),
            "LlamaForCausalLM",
            ["microbatch-mean*k*n"],
            SMOOTHED,
            ["transformers-label-smoothing"],
        ),
        (
            transformers("5.23.0"),
            "BertForSequenceClassification",
            ["token-mean*k*n"],
            IGNORED,
            ["transformers-heads-ignore-count"],
        ),
        (
            {**transformers("4.49.0"), "llamafactory": "0.9.2"},
            LLAVA,
            ["microbatch-mean*k"],
            IGNORED,
            ["transformers-llava-ignores-count", "llamafactory-llava-times-k"],
        ),
        (
            {**transformers("4.49.0"), "llamafactory": "0.9.3"},
            LLAVA,
            ["microbatch-mean"],
            {"token_count": "ignores", "count_passed": False},
            ["llamafactory-hot-fix"],
        ),
        (
            {**transformers("5.6.0"), "llamafactory": "0.9.5"},
            LLAVA,
            ["microbatch-mean"],
            {"token_count": "divides", "count_passed": False},
            ["llamafactory-hot-fix"],
        ),
        (
            {**transformers("4.57.6"), "trl": "0.24.0"},
            "LlamaForCausalLM",
            ["microbatch-mean*k*n"],
            SMOOTHED,
            ["transformers-label-smoothing", "trl-label-smoothing"],
        ),
    ],
)
def test_every_published_fault_is_cited_where_it_is(
    releases: dict[str, str], architecture: str, rules: list[str], run: dict[str, Any], ids: list[str]
) -> None:
    assert cited(releases, architecture, *rules, **run) == ids


@pytest.mark.parametrize(
    ("releases", "architecture", "rules", "run"),
    [
        # another release
        (transformers("4.52.0"), LLAVA, ["microbatch-mean*k"], DIVIDED),
        (transformers("4.46.0"), "LlamaForCausalLM", ["unshifted-token-mean"], DIVIDED),
        (transformers("5.10.1"), "LlamaForCausalLM", ["unshifted-token-mean"], DIVIDED),
        (transformers("4.48.1"), "LlamaForCausalLM", ["microbatch-mean*k"], {**DIVIDED, "count_passed": False}),
        (transformers("5.15.0"), "LlamaForCausalLM", ["microbatch-mean*k*n"], SMOOTHED),
        (transformers("4.54.0"), "LlamaForCausalLM", ["device-mean"], DIVIDED),
        ({"accelerate": "1.2.1"}, LLAVA, ["microbatch-mean*k"], IGNORED),
        # another rule, of the loss or of the gradient alone
        (transformers("4.49.0"), LLAVA, ["device-mean"], IGNORED),
        (transformers("4.49.0"), LLAVA, ["microbatch-mean*k", "unexplained"], IGNORED),
        (transformers("4.49.0"), LLAVA, ["token-mean", "microbatch-mean*k"], IGNORED),
        (transformers("4.46.3"), "GPT2LMHeadModel", ["microbatch-mean*k"], REJECTED),
        # another architecture
        ({**transformers("4.49.0"), "llamafactory": "0.9.3"}, "LlamaForCausalLM", ["microbatch-mean"], {}),
        (transformers("4.49.0"), "LlamaForCausalLM", ["microbatch-mean*k"], DIVIDED),
        # another condition
        (transformers("4.49.0"), LLAVA, ["microbatch-mean*k"], {**IGNORED, "count_passed": False}),
        (transformers("4.49.0"), LLAVA, ["microbatch-mean*k"], {"token_count": "ignores"}),
        (transformers("5.23.0"), "BertForSequenceClassification", ["token-mean*k*n"], DIVIDED),
        (transformers("4.57.6"), "LlamaForCausalLM", ["microbatch-mean*k*n"], DIVIDED),
        (
            transformers("4.57.6"),
            "LlamaForCausalLM",
            ["microbatch-mean*k*n"],
            {**DIVIDED, "training_arguments": {"label_smoothing_factor": 0.0}},
        ),
        (
            transformers("4.49.0"),
            "LlamaForCausalLM",
            ["device-mean"],
            {**DIVIDED, "training_arguments": {"average_tokens_across_devices": True}},
        ),
    ],
)
def test_a_near_miss_is_not_cited(
    releases: dict[str, str], architecture: str, rules: list[str], run: dict[str, Any]
) -> None:
    assert cited(releases, architecture, *rules, **run) == []


def test_a_rule_that_the_data_cannot_tell_from_the_faults_is_the_faults() -> None:
    here = transformers("4.48.3")
    assert cited(here, LLAVA, "token-mean/k", **REJECTED) == []
    assert cited(here, LLAVA, "token-mean/k", alternatives=("microbatch-mean",), **REJECTED) == [
        "transformers-llava-mean-of-means"
    ]


def test_a_fault_that_only_what_fits_as_well_points_to_is_not_cited_beside_one_that_the_name_does() -> None:
    # every row's first label is masked: counted before the shift or after it is the same
    ids = cited(
        transformers("4.49.0"),
        "LlamaForCausalLM",
        "device-mean",
        alternatives=("unshifted-device-mean",),
        **DIVIDED,
        training_arguments={"average_tokens_across_devices": False},
    )
    assert ids == ["transformers-device-mean"]


def test_what_the_architecture_is_known_for_comes_before_what_any_is() -> None:
    # micro-batches of one row: the mean of a micro-batch is that of its sample
    here, also = transformers("4.49.0"), ("microbatch-mean*k",)
    general = ["transformers-heads-ignore-count"]
    assert cited(here, LLAVA, "sample-mean*k", **IGNORED) == general
    assert cited(here, LLAVA, "sample-mean*k", alternatives=also, **IGNORED) == ["transformers-llava-ignores-count"]
    assert cited(here, "BertForMaskedLM", "sample-mean*k", alternatives=also, **IGNORED) == general


def test_alternatives_of_the_run_are_not_those_of_a_split_with_a_rule_of_its_own() -> None:
    finding = Finding("x", "fail", ("1x2x4",), "s", loss_rule="token-mean*k", gradient_rule="token-mean*k")
    run = Circumstances(transformers("4.48.3"), LLAVA, **REJECTED)
    (found,) = cite([finding], run, Fitted(("sample-mean", "microbatch-mean"), ("sample-mean", "microbatch-mean")))
    assert found == finding


def test_a_fault_that_shows_as_a_finding_of_its_own_is_cited_beside_it() -> None:
    def known(finding: str, release: str, **run: Any) -> list[str]:
        here = Circumstances(transformers(release), "BertForSequenceClassification", **run)
        (found,) = cite([Finding(finding, "fail", ("1x2x4",), "s")], here, Fitted())
        return [fault["url"].rsplit("/", 1)[1] for fault in found.known]

    assert known(windows_finding([Split.parse("1x2x4")], "x").id, "4.49.0", **REJECTED) == ["37777"]
    assert known(windows_finding([Split.parse("1x2x4")], "x").id, "4.52.4", **REJECTED) == []
    assert known("tail-divisor", "4.54.0", **REJECTED) == ["38837"]
    assert known("tail-divisor", "4.55.0", **REJECTED) == []
    assert known("tail-divisor", "4.54.0", **DIVIDED) == []
    assert known("leaked-samples", "4.49.0", **REJECTED) == []


@pytest.mark.parametrize(
    ("trl", "release", "rules", "beta", "ids"),
    [
        ("0.13.0", "4.48.3", ["token-mean*k"], 0.1, ["trl-dpo-times-k"]),
        ("0.12.0", "4.52.4", ["token-mean*k"], 0.1, ["trl-dpo-times-k"]),
        ("0.14.0", "4.48.3", ["token-mean*k"], 0.1, []),
        ("0.13.0", "4.53.0", ["token-mean*k"], 0.1, []),
        ("0.13.0", "4.48.3", ["token-mean*k"], None, []),  # no arguments of preference tuning
        ("0.13.0", "4.48.3", ["token-mean"], 0.1, []),
        ("0.12.2", "4.46.3", ["token-mean", "token-mean*k"], 0.1, ["trl-dpo-log-only-divided"]),
        ("0.12.2", "4.48.0", ["token-mean", "token-mean*k"], 0.1, []),
    ],
)
def test_dpo_that_nothing_divides_is_known(
    trl: str, release: str, rules: list[str], beta: float | None, ids: list[str]
) -> None:
    arguments = {} if beta is None else {"beta": beta}
    releases = {**transformers(release), "trl": trl}
    # a model that is not asked for a loss was not watched: whether it was passed a count is not known
    run: dict[str, Any] = {"token_count": "divides", "count_passed": None, "training_arguments": arguments}
    assert cited(releases, "LlamaForCausalLM", *rules, **run) == ids


@pytest.mark.parametrize(
    ("release", "gradient", "known"),
    [
        ("0.18.9", "window-partial", True),
        ("0.15.2", "device-mean*window-partial", True),
        ("0.15.1", "window-partial", False),
        ("0.19.0", "window-partial", False),
        ("0.18.9", "last-microbatch", False),
    ],
)
def test_micro_batches_that_deepspeeds_offload_loses_are_known(release: str, gradient: str, known: bool) -> None:
    ids = ["deepspeed-offload-loses-micro-batches"] if known else []
    assert cited(deepspeed(release), "LlamaForCausalLM", "token-mean", gradient, **DIVIDED) == ids


@pytest.mark.parametrize(
    ("release", "through_trainer", "known"),
    [("0.18.3", False, True), ("0.19.5", False, True), ("0.18.2", False, False), ("0.19.6", False, False),
     ("0.18.9", True, False)],
)  # fmt: skip
def test_a_division_at_every_output_is_known_where_no_trainer_divides(
    release: str, through_trainer: bool, known: bool
) -> None:
    run = {**DIVIDED, "training_arguments": {"deepspeed": through_trainer}}
    ids = ["deepspeed-divides-at-every-output"] if known else []
    assert cited(deepspeed(release), "LlamaForCausalLM", "token-mean", "token-mean/k", **run) == ids


@pytest.mark.parametrize(("release", "known"), [("0.18.9", ["7985"]), ("0.18.2", []), ("0.19.0", [])])
def test_a_micro_batch_that_deepspeed_does_not_reduce_is_known(release: str, known: list[str]) -> None:
    finding = Finding("unsynchronised", "fail", ("2x2x2",), "s", advice="a")
    (found,) = cite([finding], Circumstances(deepspeed(release), "LlamaForCausalLM", **DIVIDED), Fitted())
    assert [fault["url"].rsplit("/", 1)[1] for fault in found.known] == known


def test_deepspeed_counts_where_its_engine_trained_and_not_where_it_is_only_installed() -> None:
    trained = TrainedRecord(reference().coordinates, engine=Engine("0.18.9"))
    environment = Environment(transformers="4.57.6", packages={"deepspeed": "0.18.9"})
    split = SplitObservation(Split(1, 1, 4), "ran", trained=trained)
    assert circumstances("script", {}, environment, [split], reference()).releases["deepspeed"] == "0.18.9"
    plain = replace(split, trained=replace(trained, engine=None))
    assert "deepspeed" not in circumstances("script", {}, environment, [plain], reference()).releases


def test_rewards_of_which_only_the_logged_loss_is_divided_are_known() -> None:
    rules = ("token-mean", "token-mean*k")
    head = "LlamaForSequenceClassification"
    run: dict[str, Any] = {"token_count": "rejects", "count_passed": None}
    found = [cited({**transformers(release), "trl": "0.12.2"}, head, *rules, **run) for release in ("4.46.3", "4.48.0")]
    assert found == [["trl-reward-log-only-divided"], []]
    assert cited(transformers("4.46.3"), head, *rules, **run) == []  # not through TRL


@pytest.mark.parametrize(("trl", "known"), [("0.12.2", ["2330"]), ("0.13.0", [])])
def test_dpo_that_cuts_a_token_where_it_pads_is_known(trl: str, known: list[str]) -> None:
    finding = Finding("batch-dependent-model", "warn", (), "s", advice="a")
    here = Circumstances({"transformers": "4.46.3", "trl": trl}, "LlamaForCausalLM", {"beta": 0.1})
    (found,) = cite([finding], here, Fitted())
    assert [fault["url"].rsplit("/", 1)[1] for fault in found.known] == known


def test_a_finding_without_rules_is_left_as_it_is() -> None:
    finding = Finding("samples-differ", "fail", ("1x2x4",), "s", advice="look there")
    assert cite([finding], Circumstances(transformers("4.49.0"), LLAVA, **IGNORED), Fitted()) == (finding,)


@pytest.mark.parametrize(
    ("stack", "releases"),
    [
        ("trainer", {"transformers": "4.57.6"}),
        ("trl-sft", {"transformers": "4.57.6", "trl": "0.24.0"}),
        ("llamafactory", {"transformers": "4.57.6", "llamafactory": "0.24.0"}),
    ],
)
def test_the_circumstances_of_a_run(stack: str, releases: dict[str, str]) -> None:
    def split(*counts: float | None, loss: float | None = 1.0) -> SplitObservation:
        batches = tuple(MicroBatch(0, (0,), loss=loss, token_count=count) for count in counts)
        step = StepObservation(1, 1.0, None, {0: 1.0}, batches, {})
        return SplitObservation(Split(1, 1, len(counts)), "ran", steps=(step,))

    truth = replace(reference(), probe=LossProbe("ignores"))
    environment = Environment(transformers="4.57.6", stack_version="0.24.0")
    arguments = {"bf16": True}
    found = circumstances(stack, arguments, environment, [split(8.0, 8.0)], truth)
    assert found == Circumstances(releases, "LlamaForCausalLM", arguments, "ignores", True)
    assert circumstances(stack, {}, environment, [split(None)], truth).count_passed is False
    assert circumstances(stack, {}, environment, [split(8.0), split(None)], truth).count_passed is None
    assert circumstances(stack, {}, environment, [split(8.0, loss=None)], truth).count_passed is True
    assert circumstances(stack, {}, environment, [split(None, loss=None)], truth).count_passed is None


def test_a_division_by_k_that_trainer_and_accelerate_both_do_is_known_by_its_releases() -> None:
    rules = ("unshifted-token-mean", "unshifted-token-mean/k")
    for release, ids in (("5.1.0", []), ("5.2.0", ["5"]), ("5.5.3", ["5"]), ("5.5.4", [])):
        found = cited(transformers(release), "LlamaForCausalLM", *rules, **DIVIDED)
        assert found == ["transformers-5-divided-twice" for _ in ids]
