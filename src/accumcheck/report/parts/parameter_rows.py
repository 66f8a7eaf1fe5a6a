"""The gradient errors of single parameters as a table: in each split, those nearest to their limits first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report import numbers
from accumcheck.report.blocks import Cell, Column, Details, Table
from accumcheck.report.parts.phrases import plural

if TYPE_CHECKING:
    from accumcheck.record import Report, SplitResult

_COLUMNS = (
    Column(("", "parameter"), "left", gap=0, wraps=True),
    Column(("", "error")),
    Column(("", "allowed")),
    Column(("", "share of the gradient")),
    Column(("", "step")),
)
_LEGEND = "error: against the reference, relative to the parameter's own gradient, in the step in which it is largest."


def parameter_tables(report: Report) -> list[Details]:
    """One table for each split, folded."""
    return [_table(split) for split in report.splits if split.parameters]


def _table(split: SplitResult) -> Details:
    beyond = sum(one.error > one.allowed for one in split.parameters)
    rows = [
        [
            Cell(one.name, "label"),
            Cell(numbers.difference(one.error), "bad" if one.error > one.allowed else ""),
            Cell(numbers.difference(one.allowed)),
            Cell(f"{one.share:.2%}"),
            Cell(str(one.step)),
        ]
        for one in split.parameters
    ]
    summary = f"{beyond} beyond what rounding allows" if beyond else "all within what rounding allows"
    caption = f"Gradient errors of single parameters of {split.split}"
    table = Table(_COLUMNS, rows, caption=caption, legend=_LEGEND, searched="parameter")
    return Details(f"{split.split}: {plural(len(rows), 'parameter')}, {summary}", (table,))
