"""Collecting everything that is wrong with a configuration, to say it all at once."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

KeyPath = tuple["str | int", ...]

_PLAIN_KEY = re.compile(r"[^\s:'\"\\\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the user wrote something: a file's line (from 1; 0 for the file as a whole), or one ``--set``."""

    source: str
    line: int = 0
    on_command_line: bool = False

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


def show_path(path: KeyPath) -> str:
    """A key's path as users write it: ``("splits", 1, "n")`` is ``splits[1].n``."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            name = part if part.isprintable() and _PLAIN_KEY.fullmatch(part) else repr(part)
            shown += f".{name}" if shown else name
    return shown


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest of the options, or nothing where none is close."""
    known = list(options)
    close = difflib.get_close_matches(word, known, n=1) or difflib.get_close_matches(word.lower(), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


class Faults:
    """The errors found so far, each with its place. Nothing is raised until `raise_any`."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, path: str, message: str) -> None:
        """Note one error: ``path`` is the key as `show_path` writes it, or empty for the whole file."""
        self._found.append((place, f"{place}: {path}: {message}" if path else f"{place}: {message}"))

    def raise_any(self) -> None:
        """Raise what was found, the file's errors in the order of its lines, then the command line's.

        Raises:
            ConfigError: there is at least one error; its text has one line for each.
        """
        if self._found:
            self._raise()

    def raise_with(self, place: Place, path: str, message: str) -> NoReturn:
        """Note an error after which nothing more can be read, and raise all.

        Raises:
            ConfigError: always.
        """
        self.add(place, path, message)
        self._raise()

    def _raise(self) -> NoReturn:
        def order(found: tuple[Place, str]) -> tuple[bool, float]:
            place, _ = found
            return place.on_command_line, place.line or float("inf")

        raise ConfigError("\n".join(text for _, text in sorted(self._found, key=order)))
