"""One check as a comment on a pull request: one row, the rest folded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.report.blocks import Cell, Column, Details, Notes, Sentence, Table
from accumcheck.report.numbers import worst
from accumcheck.report.parts.head import head
from accumcheck.report.parts.notes import findings, not_run
from accumcheck.report.parts.pair_comment import BAND, LEGEND, band_cell, side_cell
from accumcheck.report.parts.split_rows import split_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record import Report
    from accumcheck.report.blocks import Block


def shown(report: Report) -> Iterator[Block]:
    """One row for the check, and the versions that it was made with."""
    name = report.config_file.path if report.config_file else head(report).model
    steps = [step for split in report.splits if split.status == "ran" for step in split.steps]
    error = worst(step.vs_reference.gradient for step in steps if step.vs_reference is not None)
    columns = (Column(("", "check"), "left"), Column(("", "now"), "left"), BAND)
    yield Table(columns, [[Cell(name, "label"), side_cell(report, error), band_cell(report)]], legend=LEGEND)
    versions = [
        f"{package} {getattr(report.environment, package)}" for package in ("transformers", "accelerate", "torch")
    ]
    yield Sentence(f"With {', '.join(versions)}.")


def folded(report: Report) -> Iterator[Details]:
    """The splits, and what is wrong with them."""
    if report.splits:
        yield Details("Splits", (split_table(report),))
    if notes := (*not_run(report), *findings(report)):
        yield Details("Findings", (Notes(tuple(replace(note, logs=()) for note in notes)),))
