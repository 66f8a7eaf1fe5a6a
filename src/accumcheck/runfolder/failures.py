"""Why a process failed, as it says itself: ``error-R.json`` in its job's folder."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from accumcheck.runfolder.codec import read_record, write_record
from accumcheck.runfolder.job import Failure

_ANNOUNCED = 6
"""Lines that are shown of an error whose first only says what follows, such as DeepSpeed's list of settings."""


@dataclass(frozen=True, slots=True)
class WorkerError:
    """The last words of one process. ``common``: every other job would fail in the same way."""

    reason: str
    common: bool
    traceback: str


def write_error(folder: Path, process: int, error: BaseException, *, common: bool) -> None:
    """Leave the cause of a worker's death where the conductor finds it."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    write_record(folder / f"error-{process}.json", WorkerError(describe(error), common, text))


def has_errors(folder: Path) -> bool:
    """Whether any process of the job has left the cause of its death."""
    return any(folder.glob("error-*.json"))


def read_errors(folder: Path) -> list[Failure]:
    """The causes that workers left, the earliest first."""
    files = sorted(folder.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    errors = [read_record(WorkerError, path) for path in files]
    return [Failure(error.reason, error.common) for error in errors]


def describe(error: BaseException) -> str:
    """The error's class and the first line of its text, with the few after it where it ends in a colon."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if lines and lines[0].endswith(":"):
        lines = [" ".join(lines[:_ANNOUNCED])]
    name = type(error).__name__
    if name in ("OutOfMemoryError", "MemoryError"):
        return "out of memory" + (f": {lines[0]}" if lines else "")
    if name.endswith("WorkloadError"):
        return lines[0] if lines else name
    return f"{name}: {lines[0]}" if lines else name
