"""Lines of text: columns that never wrap or lose a digit, and prose that wraps at words."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from accumcheck.report.blocks import Cell
from accumcheck.report.escapes import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accumcheck.report.blocks import Column

STYLES = {
    "pass": "green",
    "warn": "bold yellow",
    "fail": "bold red",
    "error": "bold magenta",
    "skipped": "yellow",
    "ignore": "dim",
    "label": "bold",
    "quiet": "dim",
    "bad": "bold red",
    "curve": "cyan",
}
"""The terminal style of a tone: a verdict, a severity, or a kind of text."""


def columns(
    specs: Sequence[Column], rows: Sequence[Sequence[Cell] | None], comfortable: int, limit: int, rule: str
) -> list[Text]:
    """Lay out rows as lines: beyond ``comfortable`` with less space between columns, beyond ``limit`` without some.

    A row of None is a line of ``rule``; a header line that is empty in every column is left out. If the columns that
    must stay are still too wide, so are the lines: a cut or wrapped number is misleading, scrolling
    is not.
    """
    keep = list(range(len(specs)))
    expendable = sorted((spec.leave_out, index) for index, spec in enumerate(specs) if spec.leave_out)
    widths = [
        max(cell_len(text) for text in (*spec.header, *(row[index].text for row in rows if row is not None)))
        for index, spec in enumerate(specs)
    ]
    widest = 2

    def total() -> int:
        return sum(widths[index] + min(widest, specs[index].gap) for index in keep)

    if total() > comfortable:
        widest = 1
    while total() > limit and expendable:
        keep.remove(expendable.pop(0)[1])

    def line(cells: Sequence[Cell]) -> Text:
        text = Text()
        for index in keep:
            text.append(" " * min(widest, specs[index].gap))
            padding = " " * (widths[index] - cell_len(cells[index].text))
            text.append(padding if specs[index].align == "right" else "")
            text.append(cells[index].text, STYLES.get(cells[index].tone, ""))
            text.append(padding if specs[index].align == "left" else "")
        text.rstrip()
        return text

    header = [line([Cell(spec.header[which], "label") for spec in specs]) for which in (0, 1)]
    header = [one for one in header if one.plain]
    divider = Text(rule * total(), "dim")
    return [*header, divider, *(divider.copy() if row is None else line(row) for row in rows)]


def prose(text: str, width: int, *, first: Text | None = None, indent: int = 0, style: str = "") -> list[Text]:
    """Wrap ``text`` at words, each line indented; ``first`` replaces the indent of the first line.

    Words longer than a line (paths, addresses) are not broken, so that they can be copied.
    """
    lines: list[Text] = []
    head = first if first is not None else Text()
    start = head.cell_len
    for paragraph in clean(text).splitlines() or [""]:
        wrapped = textwrap.wrap(
            paragraph,
            width,
            initial_indent=" " * (indent if lines else max(start, indent)),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for piece in wrapped or [" " * start if not lines else ""]:
            lines.append(Text(piece, style) if lines else head + Text(piece[start:], style))
    return lines
