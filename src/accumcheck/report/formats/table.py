"""The table: what an engineer reads in a terminal, a pipe or a CI log. See `accumcheck.report.lines`."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from accumcheck.report.format import Format

if TYPE_CHECKING:
    from rich.console import Console

    from accumcheck.report.document import Document

_PLAIN_WIDTH = 80
"""Where there is no terminal to ask, prose wraps here."""
_PLAIN_TABLE_WIDTH = 100
"""Where there is no terminal to ask, the columns may take this much, if they must."""
_READABLE_WIDTH = 100
"""Prose wraps here even in a wider terminal."""


def text(document: Document) -> str:
    """Plain text: no colour, no box drawing, 80 columns wherever the numbers allow it."""
    from rich.console import Console

    stream = io.StringIO()
    render(document, Console(file=stream, force_terminal=False, color_system=None))
    return stream.getvalue()


def show(document: Document, stream: IO[str]) -> None:
    """Print the document, in colour and as wide as the terminal where the stream is one."""
    from accumcheck.report.streams import console_for

    render(document, console_for(stream))


def render(document: Document, console: Console) -> None:
    """Print the document on ``console``: as wide as it must be, in colour only where the console has it.

    With ``NO_COLOR`` set, nothing but text is printed: no escape codes at all.
    """
    from rich.text import Text

    from accumcheck.report.lines import Space, lines

    if console.is_terminal:
        width, graphic = console.width, console.encoding.startswith("utf")
        space = Space(min(width, _READABLE_WIDTH), width, width, graphic)
    else:
        space = Space(_PLAIN_WIDTH, _PLAIN_WIDTH, _PLAIN_TABLE_WIDTH, graphic=False)
    for line in lines(document, space):
        line.plain = line.plain.encode(console.encoding, "replace").decode(console.encoding)
        line.rstrip()
        console.print(Text(line.plain) if console.no_color else line, soft_wrap=True, highlight=False)


FORMAT = Format("table", text, extension=".txt", show=show)
