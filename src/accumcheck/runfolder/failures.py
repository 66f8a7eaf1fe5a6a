"""Why a process failed, as reported by itself: ``error-R.json`` in its job's folder."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path

from accumcheck.errors import AccumcheckError
from accumcheck.record import Reason, ReasonKind
from accumcheck.runfolder.codec import read_record, write_record
from accumcheck.runfolder.crash import excerpt_of, hint_of, innermost, last_printed, place_of
from accumcheck.runfolder.job import Failure
from accumcheck.runfolder.space import full_device, is_no_space, no_space

_ANNOUNCED = 6
"""Lines shown of an error whose first line only introduces the rest, such as DeepSpeed's list of settings."""
_NO_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WorkerError:
    """The failure of one process. ``common``: every other job would fail in the same way."""

    reason: Reason
    common: bool
    traceback: str


def write_error(folder: Path, process: int, error: BaseException, *, common: bool) -> None:
    """Record why a worker failed, for the conductor.

    Raises:
        OSError: it cannot be written, for example without free space.
    """
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    write_record(_file(folder, process), WorkerError(reason_of(error, folder, process), common, text))


def has_errors(folder: Path) -> bool:
    """Whether any process of the job has recorded why it failed."""
    return any(folder.glob("error-*.json"))


def read_errors(folder: Path) -> list[Failure]:
    """The failures that workers recorded, the earliest first."""
    files = sorted(folder.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    errors = [read_record(WorkerError, path) for path in files]
    return [Failure(error.reason, error.common) for error in errors]


def reason_of(error: BaseException, folder: Path, process: int = 0) -> Reason:
    """Why a process that writes into this folder ended, from its error; ``process``: index on this machine."""
    if is_no_space(error):
        return Reason("crashed", no_space(folder))
    if not isinstance(error, AccumcheckError) and (full := full_device(folder)):
        return Reason("crashed", full)
    found = excerpt_of(innermost(error))
    if isinstance(error, SystemExit):  # argparse, for example, has printed why
        found = last_printed(folder / "logs", process)
    return Reason(_kind_of(error), describe(error), found)


def describe(error: BaseException) -> str:
    """The class of the original error, the first line of its text, and where it was raised.

    If the first line ends in a colon, with a few lines after it. For our own errors, only the text.
    """
    hint = f"; {found}" if (found := hint_of(error)) else ""
    if not isinstance(error, AccumcheckError):
        outer, error = error, innermost(error)
        if error is not outer and not isinstance(error, ImportError):  # what follows an import error repeats it
            hint = f"; it led to {_first_words(outer)}{hint}"
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if lines and lines[0].endswith(":"):
        lines = [" ".join(lines[:_ANNOUNCED])]
    name = type(error).__name__
    if isinstance(error, AccumcheckError):
        return lines[0] if lines else name
    place = f" ({found})" if (found := place_of(error)) else ""
    first = lines[0] if lines else ""
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return f"the program exited with code {error.code}{place}"
    if isinstance(error, SyntaxError) and place:
        first = str(error.msg)  # its text has the place as well
    if _kind_of(error) == "out-of-memory":
        return "out of memory" + (f": {first}" if first else "") + place + hint
    return (f"{name}: {first}" if first else name) + place + hint


def _first_words(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__


def _kind_of(error: BaseException) -> ReasonKind:
    if not isinstance(error, AccumcheckError):
        error = innermost(error)
    name = type(error).__name__
    # torch's error for GPUs has its own class in some releases, the one for the CPU in none
    if name in ("OutOfMemoryError", "MemoryError") or (name == "RuntimeError" and _NO_MEMORY.search(str(error))):
        return "out-of-memory"
    if isinstance(error, ImportError):
        return "missing-package"
    if not isinstance(error, AccumcheckError):
        return "crashed"
    if error.reason_kind == "crashed" and error.__cause__ is not None:  # the cause has the more exact kind
        return _kind_of(error.__cause__)
    return error.reason_kind


def _file(folder: Path, process: int) -> Path:
    return folder / f"error-{process}.json"
