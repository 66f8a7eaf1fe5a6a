"""The table as people see it: whole texts, at 80 columns."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from accumcheck.record import Finding
from accumcheck.report.formats import table
from tests.report import examples, written

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

plain = partial(written.text, name="table")
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
    assert plain(report()) == expected


def test_terminal_of_80_columns_shows_the_same_text_with_drawn_lines() -> None:
    shown = _on_terminal(examples.llava_449())
    assert "\x1b[" in shown
    assert _plain(shown) == re.sub("-{79}", "─" * 79, LLAVA_449)


@pytest.mark.parametrize("report", examples.OURS)
def test_nothing_is_wider_than_80_columns(report: Callable[[], Report]) -> None:
    assert max(map(len, plain(report()).splitlines())) <= 80
    assert max(map(len, _plain(_on_terminal(report())).splitlines())) <= 80
    assert "…" not in _on_terminal(report())


@pytest.mark.parametrize("report", examples.OURS)
def test_no_trailing_spaces_and_ascii_only_in_a_pipe(report: Callable[[], Report]) -> None:
    text = plain(report())
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
    measured = report.splits[-1].sample_weights
    assert measured is not None
    weights = replace(measured, scale=-1.2e9, min=-1.2e12, max=3.4e12)
    text = plain(replace(report, splits=(*report.splits[:-1], replace(report.splits[-1], sample_weights=weights))))
    assert "-1.2e+12..3.4e+12  FAIL" in text.replace("   ", "  ") or "-1.2e+12..3.4e+12 FAIL" in text


def test_losses_of_4_49_are_plainly_2_4_16_and_32_times_the_controls() -> None:
    rows = [line.split() for line in plain(examples.llava_449()).splitlines()]
    ratios = {row[0]: " ".join(row[2:4]) for row in rows if row and re.fullmatch(r"\d+x\d+x\d+", row[0])}
    assert ratios == {
        "1x128x1": "control 1.234",
        "4x16x2": "x 2.00",
        "4x8x4": "x 4.00",
        "8x1x16": "x 16.00",
        "4x1x32": "x 31.96",
    }


def test_trajectory_has_a_line_per_split() -> None:
    assert TRAJECTORY.strip() in plain(examples.with_trajectory())


def test_trajectory_is_drawn_on_a_terminal() -> None:
    shown = _plain(_on_terminal(examples.with_trajectory()))
    assert "4x16x2    21.668  2.197   x 2.00    1  █▃▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁\n" in shown


def test_trajectory_that_ends_in_nan_drifts_by_nan() -> None:
    report = examples.with_trajectory()
    point = replace(report.splits[1].trajectory[-1], loss=float("nan"))
    broken = replace(report.splits[1], trajectory=(*report.splits[1].trajectory[:-1], point))
    text = plain(replace(report, splits=(report.splits[0], broken)))
    assert re.search(r"4x16x2 +21\.668 +nan +nan +100\n", text)


def test_text_from_elsewhere_is_printed_as_it_is_and_moves_no_cursor() -> None:
    report = examples.clean()
    finding = Finding("x", "warn", (), "a [b]label[/b] :smile:", explanation="one\x1b[2Jtwo\x1b]0;title\x07\rthree")
    report = replace(report, config={**report.config, "model": {"name_or_path": "[red]x"}}, findings=(finding,))
    for text in (plain(report), _plain(_on_terminal(report))):
        assert "float32, from [red]x\n" in text.replace("\nfrom", " from").replace("from\n", "from ")
        assert "WARN    a [b]label[/b] :smile:\n        onetwothree\n" in text


def test_no_escape_codes_where_there_is_no_terminal(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+", encoding="utf-8") as stream:
        written.show(examples.llava_449(), "table", stream)
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
        written.show(examples.undecided(), "table", stream)
        shown = ""
        while "(exit code 3)" not in shown:  # a terminal hands over what it has, in pieces
            shown += os.read(leader, 65536).decode()
        os.set_blocking(leader, False)
        with contextlib.suppress(BlockingIOError):
            shown += os.read(leader, 65536).decode()
    os.close(leader)
    assert ("\x1b" in shown) == (not no_color)
    assert _plain(shown).replace("\r\n", "\n").replace("─", "-") == UNDECIDED


def _on_terminal(report: Report, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, width=width, color_system="truecolor", legacy_windows=False, _environ={}
    )
    table.render(written.document(report), console)
    return stream.getvalue()


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
