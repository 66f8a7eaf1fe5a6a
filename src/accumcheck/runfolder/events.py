"""The event log: one event per line, appended by every process of a run, read by the parent while it grows.

A file rather than a pipe: workers are forked by a server that inherits nothing, and the last events before a crash
stay readable.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from accumcheck.record import Environment, Reason, Split, Status
from accumcheck.runfolder.appended import AppendedLines, append_line
from accumcheck.runfolder.codec import decode, encode

_FILE = "events.jsonl"


@dataclass(frozen=True, slots=True)
class Planned:
    """The devices were counted: these splits are requested, with this control, in this environment."""

    splits: tuple[Split, ...]
    control: Split
    environment: Environment


@dataclass(frozen=True, slots=True)
class Started:
    """The processes of a job are being started."""

    job: str


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """Process ``process`` of a job has started; ``pid`` is its id on its machine."""

    job: str
    process: int
    pid: int


@dataclass(frozen=True, slots=True)
class WorkerDone:
    """Process ``process`` of a job has written all its results; how it ends does not matter any more."""

    job: str
    process: int


@dataclass(frozen=True, slots=True)
class StepDone:
    """A split has done an optimizer step; ``step`` counts from 0."""

    job: str
    step: int


@dataclass(frozen=True, slots=True)
class ReferenceProgress:
    """The reference has computed ``done`` of ``total`` samples."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A job has ended, or was never started; ``reason``: why it did not run to its end, None if it did."""

    job: str
    status: Status
    reason: Reason | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Every job of the plan has ended."""


Event: TypeAlias = Planned | Started | WorkerStarted | WorkerDone | StepDone | ReferenceProgress | Finished | Ended
OnEvent: TypeAlias = Callable[[Event], None]
"""Called with every event of a run as it happens."""

_NAMES: dict[str, type[Event]] = {
    "planned": Planned,
    "started": Started,
    "worker": WorkerStarted,
    "worker-done": WorkerDone,
    "step": StepDone,
    "reference": ReferenceProgress,
    "finished": Finished,
    "ended": Ended,
}


def encode_event(event: Event) -> str:
    """One line of JSON: ``{"event": NAME, **fields}``."""
    (name,) = [name for name, kind in _NAMES.items() if kind is type(event)]
    return json.dumps({"event": name, **encode(event)}) + "\n"


def decode_event(line: str) -> Event:
    """The inverse of `encode_event`.

    Raises:
        ValueError: the line is not an event.
    """
    found = json.loads(line)
    kind = _NAMES.get(found.pop("event", None)) if isinstance(found, dict) else None
    if kind is None:
        raise ValueError(f"not an event: {line[:80]!r}")
    return decode(kind, found)


class EventLog:
    """Appends events to the log of the run in a folder, with one ``write`` each, so that lines never mix."""

    def __init__(self, run: Path) -> None:
        self._path = run / _FILE

    def emit(self, event: Event) -> None:
        """Append one event.

        Raises:
            OSError: it could not be written completely, for example without free space.
        """
        append_line(self._path, encode_event(event))


class EventFollower:
    """Reads the events that were appended to a run's log since the last call."""

    def __init__(self, run: Path) -> None:
        self._lines = AppendedLines(run / _FILE)

    def new(self) -> Iterator[Event]:
        """Yield every complete line since the last call; none while the file does not exist.

        A line that was cut short on a full device is skipped, with everything appended to it: a job without a known
        end is an error, never a pass.
        """
        for line in self._lines.new():
            with contextlib.suppress(ValueError):
                yield decode_event(line)
