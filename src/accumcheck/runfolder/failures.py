"""Why a process failed, as it says itself: ``error-R.json`` in its job's folder."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

from accumcheck.errors import AccumcheckError
from accumcheck.record import Reason, ReasonKind
from accumcheck.runfolder.codec import read_record, write_record
from accumcheck.runfolder.job import Failure
from accumcheck.runfolder.space import full_device, is_no_space, no_space

_ANNOUNCED = 6
"""Lines that are shown of an error whose first only says what follows, such as DeepSpeed's list of settings."""
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WorkerError:
    """The last words of one process. ``common``: every other job would fail in the same way."""

    reason: Reason
    common: bool
    traceback: str


def write_error(folder: Path, process: int, error: BaseException, *, common: bool) -> None:
    """Leave the cause of a worker's death where the conductor finds it.

    Raises:
        OSError: it cannot be written, which is so where no space is left.
    """
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    write_record(_file(folder, process), WorkerError(reason_of(error, folder), common, text))


def has_errors(folder: Path) -> bool:
    """Whether any process of the job has left the cause of its death."""
    return any(folder.glob("error-*.json"))


def read_errors(folder: Path) -> list[Failure]:
    """The causes that workers left, the earliest first."""
    files = sorted(folder.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    errors = [read_record(WorkerError, path) for path in files]
    return [Failure(error.reason, error.common) for error in errors]


def reason_of(error: BaseException, folder: Path) -> Reason:
    """Why a process ended that writes into this folder, by the error that ended it."""
    if is_no_space(error):
        return Reason("crashed", no_space(folder))
    if not isinstance(error, AccumcheckError) and (full := full_device(folder)):
        return Reason("crashed", full)
    return Reason(_kind_of(error), describe(error))


def describe(error: BaseException) -> str:
    """The error's class and the first line of its text, with the few after it where it ends in a colon."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if lines and lines[0].endswith(":"):
        lines = [" ".join(lines[:_ANNOUNCED])]
    name = type(error).__name__
    if isinstance(error, AccumcheckError):
        return lines[0] if lines else name
    if _kind_of(error) == "out-of-memory":
        return "out of memory" + (f": {lines[0]}" if lines else "")
    return f"{name}: {lines[0]}" if lines else name


def _kind_of(error: BaseException) -> ReasonKind:
    name = type(error).__name__
    # torch's error for GPUs has a class of its own in some releases, that for the CPU in none
    if name in ("OutOfMemoryError", "MemoryError") or (name == "RuntimeError" and _NO_MEMORY.search(str(error))):
        return "out-of-memory"
    if isinstance(error, ImportError):
        return "missing-package"
    if not isinstance(error, AccumcheckError):
        return "crashed"
    if error.reason_kind == "crashed" and error.__cause__ is not None:  # it only words what happened
        return _kind_of(error.__cause__)
    return error.reason_kind


def _file(folder: Path, process: int) -> Path:
    return folder / f"error-{process}.json"
