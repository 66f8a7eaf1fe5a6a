"""A run without and with a hot-fix: a table with one row per split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.blocks import WORDS, Cell, Column, Table

if TYPE_CHECKING:
    from accumcheck.record import Report

BEFORE_COLUMNS = (
    Column(("", "split"), "left", gap=0),
    Column(("without", "gradient error"), title="without: gradient error"),
    Column(("", "weighting of the gradient"), "left", title="without: weighting"),
    Column(("", "verdict"), "left", title="without: verdict"),
    Column(("with", "gradient error"), title="with: gradient error"),
    Column(("", "verdict"), "left", title="with: verdict"),
)
"""The columns of `before_rows`."""


def before_table(report: Report) -> Table | None:
    """The run without its hot-fix and with it; None if it has none."""
    if report.before is None:
        return None
    title = f"without and with the hot-fix {report.before.hotfix}"
    return Table(BEFORE_COLUMNS, before_rows(report), caption=title, lead=title)


def before_rows(report: Report) -> list[list[Cell]]:
    """Every split of the run without the hot-fix, and the same split with it."""
    if report.before is None:
        return []
    now = {str(split.split): split for split in report.splits}
    rows = []
    for old in report.before.splits:
        new = now.get(old.split)
        error, word = Cell(numbers.MISSING, "quiet"), Cell("missing", "quiet")
        if new is not None:
            largest = numbers.worst(step.vs_reference.gradient for step in new.steps)
            error, word = Cell(numbers.difference(largest)), Cell(WORDS[new.verdict], new.verdict)
        rows.append(
            [
                Cell(old.split, "label"),
                Cell(numbers.difference(old.worst.gradient)),
                Cell(old.gradient_rule or numbers.MISSING),
                Cell(WORDS[old.verdict], old.verdict),
                error,
                word,
            ]
        )
    return rows
