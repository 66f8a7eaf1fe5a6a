"""The messages between the survey's server and its parent: the request, and the news."""

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
    """The requested heads without known results. The number of each is the number of its run's folder."""

    heads: tuple[Head, ...]
    environment: Environment


@dataclass(frozen=True, slots=True)
class ClassEnded:
    """The processes of a class have ended; ``reason``: why they were stopped, or stopped, too early."""

    number: int
    seconds: float
    reason: Reason | None


News = Found | ClassEnded
_KINDS: dict[str, type[News]] = {"found": Found, "ended": ClassEnded}


def write_asked(root: Path, asked: Asked) -> None:
    """Write the request where the server reads it."""
    write_record(root / _ASKED, asked)


def read_asked(root: Path) -> Asked:
    """Read the request that `write_asked` wrote."""
    return read_record(Asked, root / _ASKED)


def tell(root: Path, news: News) -> None:
    """Append one piece of news."""
    (name,) = [name for name, kind in _KINDS.items() if kind is type(news)]
    append_line(root / _NEWS, json.dumps({"news": name, **encode(news)}) + "\n")


class NewsFollower:
    """Reads news that have not been read yet."""

    def __init__(self, root: Path) -> None:
        self._lines = AppendedLines(root / _NEWS)

    def new(self) -> Iterator[News]:
        """Yield the news since the last call. A line that was cut short, for example by a full disk, is skipped."""
        for line in self._lines.new():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                fields = json.loads(line)
                yield decode(_KINDS[fields.pop("news")], fields)
