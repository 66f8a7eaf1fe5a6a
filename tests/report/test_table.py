"""The table as people see it: whole texts, at 80 columns."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from accumcheck.record import Finding
from accumcheck.report import show, table

from . import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from accumcheck.record import Report

LLAVA_449 = """\
LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from
llava-hf/llava-1.5-7b-hf
transformers 4.49.0, accelerate 1.2.1, torch 2.13.0, accumcheck 0.1.0
cpu (gloo), stack trainer, global batch 128, 3 optimizer steps, 41 s

                       vs    grad      vs  gradient  weight     weight
split        loss control    norm control     error   scale   min..max  verdict
-------------------------------------------------------------------------------
1x128x1     10.83 control   1.234 control   5.2e-08    1.00 1.00..1.00  pass
4x16x2      21.67  x 2.00   2.473  x 2.00      1.02    2.00 1.81..2.25  FAIL
4x8x4       43.35  x 4.00   4.974  x 4.03      3.09    4.00 3.35..4.81  FAIL
8x1x16     173.37 x 16.00  21.228 x 17.20      16.9   16.00 7.96..61.8  FAIL
4x1x32     346.25 x 31.96  44.573 x 36.12      36.0   31.96  15.9..123  FAIL
-------------------------------------------------------------------------------
reference   10.83 3.1e-08   1.234 4.4e-08

split: processes x per-device batch x accumulation steps. gradient error:
against the reference. weight: how each sample counted, 1 = right. Loss and
norm: step 1, where splits differ most; differences: the largest of all 3 steps.

FAIL    4x16x2, 4x8x4, 8x1x16, 4x1x32: the reported loss and the gradient are 2
        to 32 times too large: as many times as there are accumulation steps
        (microbatch-mean*k)
        The losses of the micro-batches are summed and never divided by the
        accumulation steps; inside the sum, samples with few tokens count for
        more than those with many.
        source: transformers/trainer.py: training_step
        known: Loss grows with the accumulation steps
          https://github.com/hiyouga/LLaMA-Factory/issues/7443
          affected: transformers 4.49.0 to 4.51.3
          fixed: 4.57.6
          workaround: model_accepts_loss_kwargs = False (leaves a mean of means)

weighting    loss microbatch-mean*k, gradient microbatch-mean*k
tolerance    loss 2.0e-06, grad norm 3.0e-06, gradient 1.0e-05
noise floor  loss 1.1e-07, grad norm 1.6e-07, gradient 4.8e-07 (measured)

fail: 4 of 5 splits diverge (exit code 1: divergence)
"""

CLEAN = """\
LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from
llava-hf/llava-1.5-7b-hf
transformers 5.23.0, accelerate 1.11.0, torch 2.13.0, accumcheck 0.1.0
cpu (gloo), stack trainer, global batch 128, 3 optimizer steps, 41 s

                      vs   grad      vs  gradient  weight     weight
split       loss control   norm control     error   scale   min..max  verdict
-----------------------------------------------------------------------------
1x128x1    10.83 control  1.234 control   5.2e-08    1.00 1.00..1.00  pass
4x16x2     10.83 3.1e-08  1.234 4.4e-08   5.2e-08    1.00 1.00..1.00  pass
4x1x32     10.83 3.1e-08  1.234 4.4e-08   5.2e-08    1.00 1.00..1.00  pass
-----------------------------------------------------------------------------
reference  10.83 3.1e-08  1.234 4.4e-08

split: processes x per-device batch x accumulation steps. gradient error:
against the reference. weight: how each sample counted, 1 = right. Loss and
norm: step 1, where splits differ most; differences: the largest of all 3 steps.

weighting    loss token-mean, gradient token-mean
tolerance    loss 2.0e-06, grad norm 3.0e-06, gradient 1.0e-05
noise floor  loss 1.1e-07, grad norm 1.6e-07, gradient 4.8e-07 (measured)

pass: 3 of 3 splits agree with the reference (exit code 0)
"""

UNDECIDED = """\
LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from
llava-hf/llava-1.5-7b-hf
transformers 5.23.0, accelerate 1.11.0, torch 2.13.0, accumcheck 0.1.0
cpu (gloo), stack trainer, global batch 128, 3 optimizer steps, 41 s

                      vs   grad      vs  gradient  weight     weight
split       loss control   norm control     error   scale   min..max  verdict
-----------------------------------------------------------------------------
1x128x1    10.83 control  1.234 control   5.2e-08    1.00 1.00..1.00  pass
4x16x2     10.83 3.1e-08  1.234 4.4e-08   5.2e-08    1.00 1.00..1.00  pass
4x8x4          -       -      -       -         -       -          -  ERROR
8x16x1         -       -      -       -         -       -          -  skipped
8x1x16         -       -      -       -         -       -          -  skipped
-----------------------------------------------------------------------------
reference  10.83 3.1e-08  1.234 4.4e-08

split: processes x per-device batch x accumulation steps. gradient error:
against the reference. weight: how each sample counted, 1 = right. Loss and
norm: step 1, where splits differ most; differences: the largest of all 3 steps.

ERROR   4x8x4: process 2 ended with exit code 1: OutOfMemoryError: CUDA out of
        memory
        log: /home/user/runs/a folder/4x8x4.log
skipped 8x16x1, 8x1x16: needs 8 devices, 4 are here; oversubscribe: true shares
        them

weighting    loss token-mean, gradient token-mean
tolerance    loss 2.0e-06, grad norm 3.0e-06, gradient 1.0e-05
noise floor  loss 1.1e-07, grad norm 1.6e-07, gradient 4.8e-07 (measured)

could not be decided: of 5 splits, 1 could not run, 2 skipped (exit code 3)
"""

NOT_A_NUMBER = """\
LlavaForConditionalGeneration (shrunk), 1.24M parameters, float32, from
llava-hf/llava-1.5-7b-hf
transformers 5.23.0, accelerate 1.11.0, torch 2.13.0, accumcheck 0.1.0
cpu (gloo), stack trainer, global batch 128, 3 optimizer steps, 41 s

                      vs   grad      vs  gradient  weight     weight
split       loss control   norm control     error   scale   min..max  verdict
-----------------------------------------------------------------------------
1x128x1    10.84 control  1.219 control   5.2e-08    1.00 1.00..1.00  pass
4x16x2       nan     nan    inf     inf       nan       -          -  FAIL
4x1x32         -       -      -       -         -       -          -  FAIL
-----------------------------------------------------------------------------
reference  10.84 3.1e-08  1.219 4.4e-08

split: processes x per-device batch x accumulation steps. gradient error:
against the reference. weight: how each sample counted, 1 = right. Loss and
norm: step 2, where splits differ most; differences: the largest of all 3 steps.

FAIL    4x16x2: loss is NaN and the gradient norm infinite at step 2

FAIL    4x1x32: no optimizer step was seen

weighting    loss token-mean, gradient token-mean
tolerance    loss 2.0e-06, grad norm 3.0e-06, gradient 1.0e-05
noise floor  loss 1.1e-07, grad norm 1.6e-07, gradient 4.8e-07 (measured)

fail: 2 of 3 splits diverge (exit code 1: divergence)
"""

TRAJECTORY = """

Trajectory of 100 steps with the real optimizer: the logged loss, and its
largest drift from control.
           first   last  largest   at
split       loss   loss    drift step
-------------------------------------
1x128x1   10.834  1.098  control
4x16x2    21.668  2.197   x 2.00    1
4x8x4     43.337  4.393   x 4.00    1
8x1x16   173.347 17.573  x 16.00    1
4x1x32   346.694 35.147  x 32.00    1

"""


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (examples.llava_449, LLAVA_449),
        (examples.clean, CLEAN),
        (examples.undecided, UNDECIDED),
        (examples.not_a_number, NOT_A_NUMBER),
    ],
    ids=["llava 4.49.0", "clean", "undecided", "not a number"],
)
def test_whole_text_in_a_pipe(report: Callable[[], Report], expected: str) -> None:
    assert table.text(report()) == expected


def test_terminal_of_80_columns_shows_the_same_text_with_drawn_lines() -> None:
    shown = _on_terminal(examples.llava_449())
    assert "\x1b[" in shown
    assert _plain(shown) == re.sub("-{79}", "─" * 79, LLAVA_449)


@pytest.mark.parametrize("report", examples.OURS)
def test_nothing_is_wider_than_80_columns(report: Callable[[], Report]) -> None:
    assert max(map(len, table.text(report()).splitlines())) <= 80
    assert max(map(len, _plain(_on_terminal(report())).splitlines())) <= 80
    assert "…" not in _on_terminal(report())


@pytest.mark.parametrize("report", examples.OURS)
def test_no_trailing_spaces_and_ascii_only_in_a_pipe(report: Callable[[], Report]) -> None:
    text = table.text(report())
    assert text.isascii()
    assert text.endswith("\n")
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_a_narrow_terminal_leaves_columns_out_and_cuts_no_number() -> None:
    lines = _plain(_on_terminal(examples.llava_449(), width=60)).splitlines()
    row = next(line for line in lines if line.startswith("4x1x32"))
    assert row.split() == ["4x1x32", "346.25", "x", "31.96", "x", "36.12", "36.0", "31.96", "FAIL"]
    assert max(len(line) for line in lines if "https://" not in line) <= 60


def test_columns_too_wide_for_80_take_what_they_need_in_a_pipe() -> None:
    report = examples.llava_449()
    weights = replace(report.splits[-1].sample_weights, scale=-1.2e9, min=-1.2e12, max=3.4e12)
    text = table.text(replace(report, splits=(*report.splits[:-1], replace(report.splits[-1], sample_weights=weights))))
    assert "-1.2e+12..3.4e+12  FAIL" in text.replace("   ", "  ") or "-1.2e+12..3.4e+12 FAIL" in text


def test_losses_of_4_49_are_plainly_2_4_16_and_32_times_the_controls() -> None:
    rows = [line.split() for line in table.text(examples.llava_449()).splitlines()]
    ratios = {row[0]: " ".join(row[2:4]) for row in rows if row and re.fullmatch(r"\d+x\d+x\d+", row[0])}
    assert ratios == {
        "1x128x1": "control 1.234",
        "4x16x2": "x 2.00",
        "4x8x4": "x 4.00",
        "8x1x16": "x 16.00",
        "4x1x32": "x 31.96",
    }


def test_trajectory_has_a_line_per_split() -> None:
    assert TRAJECTORY.strip() in table.text(examples.with_trajectory())


def test_trajectory_is_drawn_on_a_terminal() -> None:
    shown = _plain(_on_terminal(examples.with_trajectory()))
    assert "4x16x2    21.668  2.197   x 2.00    1  █▃▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁\n" in shown


def test_trajectory_that_ends_in_nan_drifts_by_nan() -> None:
    report = examples.with_trajectory()
    point = replace(report.splits[1].trajectory[-1], loss=float("nan"))
    broken = replace(report.splits[1], trajectory=(*report.splits[1].trajectory[:-1], point))
    text = table.text(replace(report, splits=(report.splits[0], broken)))
    assert re.search(r"4x16x2 +21\.668 +nan +nan +100\n", text)


def test_forty_splits_have_a_row_each_and_a_finding_names_a_few() -> None:
    text = table.text(examples.many(40))
    assert len(re.findall(r"^1x16x\d+ .* FAIL$", text, re.MULTILINE)) == 39
    assert "FAIL    1x16x2, 1x16x3, 1x16x4, 1x16x5, 1x16x6, 1x16x7 and 33 more: the reported" in text
    assert text.endswith("fail: 39 of 40 splits diverge (exit code 1: divergence)\n")


def test_text_from_elsewhere_is_printed_as_it_is_and_moves_no_cursor() -> None:
    report = examples.clean()
    finding = Finding("x", "warn", (), "a [b]label[/b] :smile:", explanation="one\x1b[2Jtwo\x1b]0;title\x07\rthree")
    report = replace(report, config={**report.config, "model": {"name_or_path": "[red]x"}}, findings=(finding,))
    for text in (table.text(report), _plain(_on_terminal(report))):
        assert "float32, from [red]x\n" in text.replace("\nfrom", " from").replace("from\n", "from ")
        assert "WARN    a [b]label[/b] :smile:\n        onetwothree\n" in text


def test_what_the_streams_encoding_lacks_is_replaced() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    report = examples.clean()
    report = replace(report, config={**report.config, "model": {"name_or_path": "Modell-Ü"}})
    show(report, "table", stream)
    assert b"from Modell-?\n" in stream.buffer.getvalue()


def test_no_escape_codes_where_there_is_no_terminal(tmp_path) -> None:
    with (tmp_path / "out").open("w+", encoding="utf-8") as stream:
        show(examples.llava_449(), "table", stream)
        stream.seek(0)
        assert stream.read() == LLAVA_449


@pytest.mark.parametrize("no_color", ["", "1"])
def test_colour_on_a_real_terminal_unless_no_color(monkeypatch: pytest.MonkeyPatch, no_color: str) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        show(examples.undecided(), "table", stream)
        shown = ""
        while "(exit code 3)" not in shown:  # a terminal hands over what it has, in pieces
            shown += os.read(leader, 65536).decode()
        os.set_blocking(leader, False)
        with contextlib.suppress(BlockingIOError):
            shown += os.read(leader, 65536).decode()
    os.close(leader)
    assert ("\x1b" in shown) == (not no_color)
    assert _plain(shown).replace("\r\n", "\n").replace("─", "-") == UNDECIDED


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
        ("skipped", 3, "pass skipped", "could not be decided: of 2 splits, 1 skipped (exit code 3)"),
        ("error", 3, "", "could not be decided: the reason stands above (exit code 3)"),
    ],
)
def test_last_line(verdict: str, exit_code: int, verdicts: str, expected: str) -> None:
    report = examples.clean()
    splits = tuple(replace(report.splits[0], verdict=one) for one in verdicts.split())
    text = table.text(replace(report, verdict=verdict, exit_code=exit_code, splits=splits, findings=()))
    assert text.splitlines()[-1] == expected


def test_last_line_where_only_a_finding_warns_or_is_ignored() -> None:
    report = replace(examples.clean(), findings=(Finding("x", "warn", (), "the logged norm is off"),))
    last = table.text(replace(report, verdict="warn")).splitlines()[-1]
    assert last == "warn: 3 of 3 splits ran, with a warning on the run as a whole (exit code 0: warnings are allowed)"
    last = table.text(replace(report, verdict="fail", exit_code=1)).splitlines()[-1]
    assert last.endswith("with a warning on the run as a whole (exit code 1: warnings fail under --strict)")
    report = replace(report, findings=(Finding("x", "ignore", ("4x16x2",), "loss 2.00 times the reference's"),))
    assert "note    4x16x2: loss 2.00 times" in table.text(report)
    last = table.text(report).splitlines()[-1]
    assert last == "pass: 3 of 3 splits ran, what differs is ignored as configured (exit code 0)"


def test_a_run_without_a_model_still_reads() -> None:
    report = replace(
        examples.clean(), verdict="error", exit_code=3, model=None, reference=(), tolerances=None, splits=(), control=""
    )
    finding = Finding("no-model", "error", (), "no model: the folder ./my-model does not exist")
    text = table.text(replace(report, findings=(finding,), loss_rule=None, gradient_rule=None))
    assert text.startswith("model not known, from llava-hf/llava-1.5-7b-hf\n")
    assert text.endswith(
        "ERROR   no model: the folder ./my-model does not exist\n\n"
        "could not be decided: the reason stands above (exit code 3)\n"
    )


def test_an_error_finding_that_repeats_a_splits_reason_is_not_said_twice() -> None:
    report = examples.undecided()
    reason = report.splits[2].reason
    finding = Finding("crashed", "error", ("4x8x4",), reason)
    assert table.text(replace(report, findings=(finding,))) == UNDECIDED
    said_more = replace(finding, explanation="it needs more memory")
    assert "        it needs more memory\n" in table.text(replace(report, findings=(said_more,)))


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
    text = table.text(replace(report, environment=environment, config={**report.config, "stack": "trl-sft"}))
    assert "8 x NVIDIA H200 (nccl), stack trl-sft 1.16.0, global batch 128,\n3 optimizer steps, 41 s\n" in text


def _on_terminal(report: Report, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, width=width, color_system="truecolor", legacy_windows=False, _environ={}
    )
    table.render(report, console)
    return stream.getvalue()


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
