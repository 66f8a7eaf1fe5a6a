"""Collects all errors of a configuration, to report them at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from accumcheck.config.limits import TOLD
from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

KeyPath = tuple["str | int", ...]
Message = str | Callable[[], str]

_PLAIN_KEY = re.compile(r"[^\s:'\"\\]+")
_LONGEST = 60
_LONGEST_ARGUMENT = 200


@dataclass(frozen=True, slots=True)
class Place:
    """Where the user wrote something: a file's line (from 1; 0 for the file as a whole), or one ``--set``."""

    source: str
    line: int = 0
    on_command_line: bool = False

    def __str__(self) -> str:
        source = self.source if self.source.isprintable() else repr(self.source)
        return f"{source}:{self.line}" if self.line else source


def argument_place(argument: str) -> Place:
    """The place of one ``--set``."""
    shown = argument if argument.isprintable() else repr(argument)
    return Place(f"--set {shorten(shown, _LONGEST_ARGUMENT)}", on_command_line=True)


def show_path(path: KeyPath) -> str:
    """A key's path as users write it: ``("splits", 1, "n")`` is ``splits[1].n``."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            name = shorten(part)
            name = name if name.isprintable() and _PLAIN_KEY.fullmatch(name) else repr(name)
            shown += f".{name}" if shown else name
    return shown


def shorten(text: str, longest: int = _LONGEST) -> str:
    """At most ``longest`` characters of the text, for a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def either(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest of the options, or nothing if none is close."""
    if len(word) > _LONGEST:
        return ""
    known = list(options)
    close = difflib.get_close_matches(word, known, n=1) or difflib.get_close_matches(word.lower(), known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


class Faults:
    """The errors found so far, each with its place. Nothing is raised until `raise_any`."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str, Message], None] = {}  # in order, each once

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, path: str, message: Message) -> None:
        """Record one error.

        Args:
            place: of the error.
            path: the key as `show_path` writes it, or empty for the whole file.
            message: what is wrong; a function is called only if the message is printed.
        """
        self._found[place, path, message] = None

    def raise_any(self) -> None:
        """Raise what was found, the file's errors in the order of its lines, then the command line's.

        Raises:
            ConfigError: there is at least one error; its text has one line for each of the first `limits.TOLD`.
        """
        if self._found:
            self._raise()

    def _raise(self) -> NoReturn:
        def order(found: tuple[Place, str, Message]) -> tuple[bool, float]:
            return found[0].on_command_line, found[0].line or float("inf")

        ordered = sorted(self._found, key=order)
        lines = [_line(*found) for found in ordered[:TOLD]]
        if len(ordered) > TOLD:
            lines.append(f"{Place(ordered[TOLD][0].source)}: {len(ordered) - TOLD} more errors; fix these first")
        raise ConfigError("\n".join(lines))


def _line(place: Place, path: str, message: Message) -> str:
    text = message if isinstance(message, str) else message()
    return f"{place}: {path}: {text}" if path else f"{place}: {text}"
