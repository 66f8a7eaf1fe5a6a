"""What a report says, as its table shows it: the verdict, and runs of which little can be said."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import partial
from typing import cast

import pytest

from accumcheck.record import Divergence, Finding, ProgramRecord, Status, Verdict
from accumcheck.report.parts.head import head
from accumcheck.report.parts.measures import measures
from tests.report import examples, written

plain = partial(written.text, name="table")


@pytest.mark.parametrize(
    ("verdict", "exit_code", "verdicts", "expected"),
    [
        ("pass", 0, "pass pass", "pass: 2 of 2 splits agree with the reference (exit code 0)"),
        ("pass", 0, "pass", "pass: 1 of 1 split agrees with the reference (exit code 0)"),
        (
            "pass",
            0,
            "pass skipped",
            "pass: 1 of 2 splits agrees with the reference, 1 skipped (exit code 0: skipped splits are allowed)",
        ),
        (
            "warn",
            0,
            "pass warn",
            "warn: 2 of 2 splits ran, 1 with a warning (exit code 0: warnings are allowed)",
        ),
        (
            "fail",
            1,
            "pass warn",
            "fail: 2 of 2 splits ran, 1 with a warning (exit code 1: warnings fail under --strict)",
        ),
        ("fail", 1, "pass fail", "fail: 1 of 2 splits diverges (exit code 1: divergence)"),
        ("fail", 1, "pass pass", "fail: the run as a whole diverges (exit code 1: divergence)"),
        (
            "fail",
            1,
            "fail fail error skipped",
            "fail: 2 of 4 splits diverge, 1 could not run, 1 skipped (exit code 1: divergence)",
        ),
        ("error", 3, "pass error", "could not be decided: of 2 splits, 1 could not run (exit code 3)"),
        (
            "error",
            3,
            "undecided error",
            "could not be decided: of 2 splits, 1 could not run, 1 ran without a verdict (exit code 3)",
        ),
        ("skipped", 3, "pass skipped", "could not be decided: of 2 splits, 1 skipped (exit code 3)"),
        ("error", 3, "", "could not be decided: see the reason above (exit code 3)"),
    ],
)
def test_last_line(verdict: Verdict, exit_code: int, verdicts: str, expected: str) -> None:
    report = examples.clean()
    states = {"error": "error", "skipped": "skipped", "undecided": "ran"}
    splits = tuple(
        replace(
            report.splits[0],
            verdict=cast(Verdict, "error" if one == "undecided" else one),
            status=cast(Status, states.get(one, "ran")),
        )
        for one in verdicts.split()
    )
    text = plain(replace(report, verdict=verdict, exit_code=exit_code, splits=splits, findings=()))
    assert text.splitlines()[-1] == expected


def test_last_line_where_only_a_finding_warns_or_is_ignored() -> None:
    report = replace(examples.clean(), findings=(Finding("x", "warn", (), "the logged norm is off"),))
    last = plain(replace(report, verdict="warn")).splitlines()[-1]
    assert last == "warn: 3 of 3 splits ran, with a warning on the run as a whole (exit code 0: warnings are allowed)"
    last = plain(replace(report, verdict="fail", exit_code=1)).splitlines()[-1]
    assert last.endswith("with a warning on the run as a whole (exit code 1: warnings fail under --strict)")
    report = replace(report, findings=(Finding("x", "ignore", ("4x16x2",), "loss 2.00 times the reference's"),))
    assert "note    4x16x2: loss 2.00 times" in plain(report)
    last = plain(report).splitlines()[-1]
    assert last == "pass: 3 of 3 splits ran; differences are ignored as configured (exit code 0)"


def test_a_run_without_an_independent_loss_agrees_with_the_control_only() -> None:
    last = plain(replace(examples.clean(), accuracy="not judged")).splitlines()[-1]
    assert last == "pass: 3 of 3 splits agree with the control, accuracy not judged (exit code 0)"


def test_parameters_that_cannot_show_a_fault_are_listed() -> None:
    text = plain(replace(examples.clean(), not_tested=("lora_B.weight", "gate.weight")))
    assert "\nnot tested   lora_B.weight, gate.weight (the true gradient is exactly zero)\n" in text
    assert "not tested" not in plain(examples.clean())


def test_a_noise_floor_that_was_not_measured_is_not_called_so() -> None:
    report = examples.clean()
    assert report.tolerances is not None
    unmeasured = replace(report.tolerances, noise_floor=Divergence(None, None, None))
    assert "\nnoise floor  not measured\n" in plain(replace(report, tolerances=unmeasured))
    assert "(measured)\n" in plain(report)


def test_a_run_without_a_model_still_reads() -> None:
    report = replace(
        examples.clean(), verdict="error", exit_code=3, model=None, reference=(), tolerances=None, splits=(), control=""
    )
    finding = Finding("no-model", "error", (), "no model: the folder ./my-model does not exist")
    text = plain(replace(report, findings=(finding,), loss_rule=None, gradient_rule=None))
    assert text.startswith("llava-hf/llava-1.5-7b-hf (no model was seen)\n")
    assert text.endswith(
        "ERROR   no model: the folder ./my-model does not exist\n\n"
        "could not be decided: see the reason above (exit code 3)\n"
    )


def test_an_error_finding_that_repeats_a_splits_reason_is_not_said_twice() -> None:
    report = examples.undecided()
    reason = report.splits[2].reason
    finding = Finding("crashed", "error", ("4x8x4",), reason)
    assert plain(replace(report, findings=(finding,))) == plain(report)
    said_more = replace(finding, explanation="it needs more memory")
    assert "        it needs more memory\n" in plain(replace(report, findings=(said_more,)))


def test_devices_and_the_stacks_own_version_are_named() -> None:
    report = examples.clean()
    environment = replace(
        report.environment,
        device="cuda",
        device_name="NVIDIA H200",
        device_count=8,
        backend="nccl",
        stack_version="1.16.0",
    )
    text = plain(replace(report, environment=environment, config={**report.config, "stack": "trl-sft"}))
    assert "8 x NVIDIA H200 (nccl), stack trl-sft 1.16.0, global batch 128,\n3 optimizer steps, 41 s\n" in text


def test_forty_splits_have_a_row_each_and_a_finding_names_a_few() -> None:
    text = plain(examples.many(40))
    assert len(re.findall(r"^1x16x\d+ .* FAIL$", text, re.MULTILINE)) == 39
    assert "FAIL    1x16x2, 1x16x3, 1x16x4, 1x16x5, 1x16x6, 1x16x7 and 33 more: the reported" in text
    assert text.endswith("fail: 39 of 40 splits diverge (exit code 1: divergence)\n")


def test_what_the_streams_encoding_lacks_is_replaced() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    report = examples.clean()
    report = replace(report, config={**report.config, "model": {"name_or_path": "Modell-Ü"}})
    written.show(report, "table", stream)
    assert b"from Modell-?\n" in stream.buffer.getvalue()


@pytest.mark.parametrize(
    ("splits", "alternatives", "expected"),
    [
        # what the losses leave open is said of the losses alone
        (
            ["1x8x1", "2x4x1", "1x1x8"],
            {"loss": ["sample-mean", "device-mean"], "gradient": ["device-mean"]},
            "loss token-mean, gradient token-mean (also fits: loss sample-mean, device-mean; gradient device-mean)",
        ),
        (
            ["1x8x1", "2x4x1", "1x1x8"],
            {"loss": ["sample-mean"], "gradient": []},
            "loss token-mean, gradient token-mean (also fits: loss sample-mean)",
        ),
        (["1x8x1", "2x4x1", "1x1x8"], {"loss": [], "gradient": []}, "loss token-mean, gradient token-mean"),
        # with one process everywhere, n and devices are no rules of their own
        (
            ["1x8x1", "1x1x8"],
            {name: ["device-mean", "token-mean*n", "microbatch-mean/n"] for name in ("loss", "gradient")},
            "loss token-mean, gradient token-mean",
        ),
        (
            ["1x8x1", "1x1x8"],
            {name: ["device-mean", "sample-mean", "token-mean*k"] for name in ("loss", "gradient")},
            "loss token-mean, gradient token-mean (also fits: sample-mean, token-mean*k)",
        ),
        (
            ["1x8x1", "2x4x1"],
            {name: ["token-mean*k", "token-mean/k", "token-mean*n"] for name in ("loss", "gradient")},
            "loss token-mean, gradient token-mean (also fits: token-mean*n)",
        ),
    ],
)
def test_which_other_rules_fit(splits: list[str], alternatives: dict[str, list[str]], expected: str) -> None:
    report = replace(
        examples.clean(),
        splits=tuple(examples.split(name, control=name == splits[0]) for name in splits),
        loss_rule="token-mean",
        gradient_rule="token-mean",
        alternatives=alternatives,
    )
    assert dict(measures(report))["weighting"] == expected


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (ProgramRecord(("TrainingArguments",), "row"), ["split set in TrainingArguments"]),
        (ProgramRecord(("the command line", "train.yaml"), "row"), ["split set in the command line and train.yaml"]),
        (ProgramRecord((), "packed row"), ["a sample is a packed row"]),
        (None, []),
    ],
)
def test_how_a_program_was_run_stands_in_the_head(program: ProgramRecord | None, said: list[str]) -> None:
    _, plan = head(replace(examples.clean(), program=program)).lines
    assert [part for part in plan if part.startswith(("split set", "a sample"))] == said
