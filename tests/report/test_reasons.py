"""In every form of a report, what failed or did not run has a reason in words, and a crash its traceback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accumcheck.record import Report
from accumcheck.report.documents.check import CheckDocument
from accumcheck.report.parts.metrics import metrics
from accumcheck.report.parts.notes import findings, not_run
from accumcheck.report.registry import FORMATS
from tests.report import examples

TRACEBACK = '  File "/home/user/train.py", line 12, in <module>'


@pytest.mark.parametrize("made", examples.EVERY)
def test_no_failure_is_without_words(made: Callable[[], Report]) -> None:
    report = made()
    for split in report.splits:
        if split.verdict in ("fail", "error", "skipped"):
            assert all(metric.text.strip() for metric in metrics(split, report)), split
    for note in (*not_run(report), *findings(report)):
        assert note.text.strip()
    for message in CheckDocument(report).annotations():
        assert message.message.strip()
    for case in CheckDocument(report).suite().cases:
        assert case.outcome == "passed" or case.message.strip(), case


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_shows_the_traceback_of_a_crash(name: str) -> None:
    written = FORMATS[name].text(CheckDocument(examples.crashed()))
    assert "line 12, in" in written, name
    assert "OutOfMemoryError: CUDA out of memory" in written
    assert "line 12, in" not in FORMATS[name].text(CheckDocument(examples.clean()))


def test_the_table_keeps_its_shape() -> None:
    lines = FORMATS["table"].text(CheckDocument(examples.crashed())).splitlines()
    at = lines.index(f"        | {TRACEBACK}")
    assert lines[at + 1 : at + 4] == [
        "        |     loss = model(**batch).loss",
        "        | OutOfMemoryError: CUDA out of memory",
        "        log: /home/user/runs/a folder/4x8x4.log",
    ]
