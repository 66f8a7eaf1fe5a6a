"""The table: what an engineer reads in a terminal, a pipe or a CI log. See `accumcheck.report.lines`."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING

from accumcheck.report.format import Format

if TYPE_CHECKING:
    from rich.console import Console

    from accumcheck.report.document import Document

_PLAIN_WIDTH = 80
"""The column at which prose wraps without a terminal."""
_PLAIN_TABLE_WIDTH = 100
"""The largest width of a table without a terminal."""
_READABLE_WIDTH = 100
"""The column at which prose wraps even in a wider terminal."""


def text(document: Document) -> str:
    """Plain text: no colour, no box drawing, 80 columns if the numbers allow it."""
    from rich.console import Console

    stream = io.StringIO()
    render(document, Console(file=stream, force_terminal=False, color_system=None))
    return stream.getvalue()


def show(document: Document, stream: IO[str]) -> None:
    """Print the document; on a terminal in colour and as wide as the terminal."""
    from accumcheck.report.streams import console_for

    render(document, console_for(stream))


def render(document: Document, console: Console) -> None:
    """Print the document on ``console``: as wide as necessary, in colour only if the console supports it.

    With ``NO_COLOR`` set, only text is printed: no escape codes at all.
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
