"""Phrases that many texts share."""

from __future__ import annotations

from collections.abc import Sequence

_NAMED = 8
"""Number of names listed in a text; if there are more, the table or JSON shows all."""


def few(names: Sequence[str]) -> str:
    """The names with commas between them; if there are many, the last ones are only counted."""
    if len(names) > _NAMED:
        return f"{', '.join(names[: _NAMED - 2])} and {len(names) - _NAMED + 2} more"
    return ", ".join(names)


def plural(number: int, noun: str) -> str:
    """``1 split``, ``3 splits``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
