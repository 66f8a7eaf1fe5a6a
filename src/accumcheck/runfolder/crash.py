"""What is reported of a crash: the original exception, its line, and the last lines of the program's traceback."""

from __future__ import annotations

import linecache
import os
import sysconfig
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from accumcheck.errors import AccumcheckError
from accumcheck.redaction import redacted_text

LINES = 10
"""The number of lines shown."""
_MESSAGE_LINES = 4
"""How many of these lines an exception's own text may take."""
_LONGEST = 200
_READ_BYTES = 16_384
_OURS = str(Path(__file__).resolve().parents[1])
_HINT = "accumcheck_hint"


def innermost(error: BaseException) -> BaseException:
    """The original exception: the cause of the cause, following ``raise ... from``."""
    seen = {id(error)}
    while (cause := error.__cause__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        error = cause
    return error


def place_of(error: BaseException) -> str:
    """Where it was raised, ``file:line``: the last line of the user's code, else of any code but ours, else of ours.

    Empty if it was not raised.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{_shown(error.filename)}:{error.lineno}"
    frames = list(_frames(error.__traceback__))
    if not frames:
        return ""
    own = [frame for frame in frames if not _is_installed(frame.filename)]
    last = (own or frames)[-1]
    return f"{_shown(last.filename)}:{last.lineno}"


def excerpt_of(error: BaseException) -> tuple[str, ...]:
    """The last lines of an exception's traceback, without our own frames, unless it was raised in our code alone.

    Empty for our own errors, whose text is enough.
    """
    if isinstance(error, (AccumcheckError, SystemExit)):
        return ()
    frames = list(_frames(error.__traceback__))
    if not frames and not isinstance(error, SyntaxError):
        return ()
    said = _lines(traceback.format_exception_only(type(error), error))
    if len(said) > _MESSAGE_LINES and not isinstance(error, SyntaxError):
        said = [*said[: _MESSAGE_LINES - 1], "..."]
    shown = [*_lines(traceback.format_list(frames)), *said]
    return _cut(shown)


def last_printed(logs: Path, process: int) -> tuple[str, ...]:
    """The last lines that a process of a job printed to its standard error.

    Args:
        logs: the job's, see `accumcheck.runfolder.layout.logs_of`; torchrun's agent writes one per process there.
        process: its index on this machine.

    Returns:
        Empty if it printed nothing, or nothing can be read.
    """
    try:
        file = next(logs.rglob(f"{process}/stderr.log"), None)
        if file is None:
            return ()
        with file.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _READ_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return _cut([line.rstrip() for line in text.splitlines() if line.strip()])


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    """The last lines, shortened; secrets are hidden first, since a cut could split one."""
    shown = map(redacted_text, lines[-LINES:])
    return tuple(line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..." for line in shown)


def give_hint(error: BaseException, hint: str) -> None:
    """Attach a hint to an exception without changing it; it is shown after a semicolon."""
    setattr(error, _HINT, hint)


def hint_of(error: BaseException) -> str:
    """The hint attached with `give_hint`, or an empty text."""
    return str(getattr(error, _HINT, ""))


def _frames(trace: TracebackType | None) -> Iterator[traceback.FrameSummary]:
    """The frames of a traceback that are neither ours nor Python's own frames for running a file; else ours."""
    every = [frame for frame in traceback.extract_tb(trace) if not frame.filename.startswith("<frozen ")]
    others = [frame for frame in every if not frame.filename.startswith(_OURS)]
    for frame in others or every:  # what is raised in our code alone is our fault, and must be found
        if linecache.getline(frame.filename, frame.lineno or 0) or not frame.filename.startswith("<"):
            yield frame


def _is_installed(file: str) -> bool:
    paths = sysconfig.get_paths()
    return any(file.startswith(paths[name]) for name in ("purelib", "platlib", "stdlib", "platstdlib")) or (
        "site-packages" in Path(file).parts
    )


def _shown(file: str) -> str:
    """A file's path, relative to the working directory if it is inside it."""
    try:
        return str(Path(file).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return file


def _lines(written: Sequence[str]) -> list[str]:
    return [line for block in written for line in block.rstrip("\n").split("\n")]
