"""Writing to a given stream: colour and live progress only where a terminal can show them."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console


class _Console(Console):
    """Leaves the handling of a closed pipe to the program; rich would exit with 1, the code of a divergence."""

    def on_broken_pipe(self) -> None:
        """See rich."""
        raise BrokenPipeError


def console_for(stream: IO[str]) -> Console:
    """A console on ``stream`` that prints text unchanged: no markup, no highlighting, no emoji.

    With ``NO_COLOR`` set to anything (https://no-color.org), bold and dim are dropped as well as colours.
    """
    no_color = bool(os.environ.get("NO_COLOR"))
    return _Console(
        file=stream,
        color_system=None if no_color else "auto",
        no_color=no_color,
        markup=False,
        highlight=False,
        emoji=False,
    )


def put(text: str, stream: IO[str]) -> None:
    """Write text; a character missing in the stream's encoding becomes an escape, never an error."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    stream.flush()
