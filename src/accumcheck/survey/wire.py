"""What passes between the survey's server and its parent: what is asked, and what has happened."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from accumcheck.record import Environment, Reason
from accumcheck.runfolder.appended import AppendedLines, append_line
from accumcheck.runfolder.codec import decode, encode, read_record, write_record
from accumcheck.survey.asked import Asked, Head

_ASKED = "asked.json"
_NEWS = "survey.jsonl"


@dataclass(frozen=True, slots=True)
class Found:
    """The heads that are asked for and not known yet; the number of each is that of its run's folder."""

    heads: tuple[Head, ...]
    environment: Environment


@dataclass(frozen=True, slots=True)
class ClassEnded:
    """A class's processes have ended; ``reason``: why they were ended, or ended by themselves, before their time."""

    number: int
    seconds: float
    reason: Reason | None


News = Found | ClassEnded
_KINDS: dict[str, type[News]] = {"found": Found, "ended": ClassEnded}


def write_asked(root: Path, asked: Asked) -> None:
    """Leave what is asked where the server finds it."""
    write_record(root / _ASKED, asked)


def read_asked(root: Path) -> Asked:
    """The inverse of `write_asked`."""
    return read_record(Asked, root / _ASKED)


def tell(root: Path, news: News) -> None:
    """Append one piece of news."""
    (name,) = [name for name, kind in _KINDS.items() if kind is type(news)]
    append_line(root / _NEWS, json.dumps({"news": name, **encode(news)}) + "\n")


class NewsFollower:
    """Reads the news since it was last asked."""

    def __init__(self, root: Path) -> None:
        self._lines = AppendedLines(root / _NEWS)

    def new(self) -> Iterator[News]:
        """Yield what was told since the last call; a line that was cut short on a full device is skipped."""
        for line in self._lines.new():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                fields = json.loads(line)
                yield decode(_KINDS[fields.pop("news")], fields)
