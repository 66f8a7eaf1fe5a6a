"""Consoles on a given stream: colour and live progress only where a terminal can show them."""

from __future__ import annotations

import os
from typing import IO

from rich.console import Console


def console_for(stream: IO[str]) -> Console:
    """A console on ``stream`` that never guesses: no markup, no highlighting, no emoji in what it prints.

    With ``NO_COLOR`` set to anything (https://no-color.org), bold and dim go as well as colours.
    """
    no_color = bool(os.environ.get("NO_COLOR"))
    return Console(
        file=stream,
        color_system=None if no_color else "auto",
        no_color=no_color,
        markup=False,
        highlight=False,
        emoji=False,
    )
