"""The table: what an engineer reads in a terminal, a pipe or a CI log."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from accumcheck.report.drift import drift
from accumcheck.report.rows import legend, rows
from accumcheck.report.words import findings, header, measures, not_run, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from accumcheck.record import Report

PLAIN_WIDTH = 80
"""Where there is no terminal to ask, prose wraps here."""
PLAIN_TABLE_WIDTH = 100
"""Where there is no terminal to ask, the columns may take this much, if they must."""
READABLE_WIDTH = 100
"""Prose wraps here even in a wider terminal."""


def text(report: Report) -> str:
    """The table as plain text: no colour, no box drawing, 80 columns wherever the numbers allow it."""
    stream = io.StringIO()
    render(report, Console(file=stream, force_terminal=False, color_system=None))
    return stream.getvalue()


def render(report: Report, console: Console) -> None:
    """Print the table on ``console``: as wide as it must be, in colour only where the console has it.

    With ``NO_COLOR`` set, nothing but text is printed: no escape codes at all.
    """
    if console.is_terminal:
        graphic = console.encoding.startswith("utf")
        lines = _lines(report, min(console.width, READABLE_WIDTH), console.width, console.width, graphic)
    else:
        lines = _lines(report, PLAIN_WIDTH, PLAIN_WIDTH, PLAIN_TABLE_WIDTH, graphic=False)
    for line in lines:
        line.plain = line.plain.encode(console.encoding, "replace").decode(console.encoding)
        line.rstrip()
        console.print(Text(line.plain) if console.no_color else line, soft_wrap=True, highlight=False)


def _lines(report: Report, width: int, comfortable: int, limit: int, graphic: bool) -> Iterator[Text]:
    blocks: Iterable[list[Text]] = (
        rows(report, comfortable, limit, "─" if graphic else "-"),
        legend(report, width),
        not_run(report, width),
        *findings(report, width),
        drift(report, width, graphic),
        measures(report, width),
        verdict(report),
    )
    yield from header(report, width)
    for block in blocks:
        if block:
            yield Text()
            yield from block
