"""Turns of phrase that many texts share."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 8
"""This many names are listed in a text; where there are more, the table or JSON shows which."""


def few(names: Sequence[str]) -> str:
    """The names with commas between them, the last ones counted where there are many."""
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 2])} and {len(names) - _NAMED + 2} more"
    return ", ".join(names)


def plural(number: int, noun: str) -> str:
    """``1 split``, ``3 splits``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
