"""The report in each format, on standard output and in files.

A format is a function from `Report` to text in a module of its own, and one entry in `FORMATS`; a file ending that
means it, one entry in `ENDINGS`.
"""

from __future__ import annotations

import secrets
import shutil
import stat
from typing import IO, TYPE_CHECKING

from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.report import as_json, table
from accumcheck.report.streams import console_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from accumcheck.record import Report

__all__ = ["ENDINGS", "FORMATS", "check_writable", "format_of", "show", "write"]

FORMATS: dict[str, Callable[[Report], str]] = {"table": table.text, "json": as_json.report_to_json}
"""The formats by the name that ``--format`` takes; each gives the whole text, ending in a line break."""

ENDINGS = {".json": "json", ".txt": "table"}
"""What the ending of an ``--output`` file means; a table in a file has no colour."""


def format_of(path: Path) -> str:
    """The name of the format that a file's ending asks for.

    Raises:
        ConfigError: no format has this ending; the text names those that exist.
    """
    try:
        return ENDINGS[path.suffix.lower()]
    except KeyError:
        what = f"{path.suffix} is not the ending of a report format" if path.suffix else "the file name has no ending"
        raise ConfigError(f"{path}: {what}; use {' or '.join(ENDINGS)}") from None


def show(report: Report, name: str, stream: IO[str], *, explain_tolerances: bool = False) -> None:
    """Print a report in the format ``name`` (a key of `FORMATS`); only a table on a terminal is in colour.

    ``explain_tolerances``: a table says as well where the tolerances come from. JSON always does.
    """
    if name == "table":
        table.render(report, console_for(stream), explain_tolerances)
    else:
        stream.write(FORMATS[name](report))
    stream.flush()


def write(report: Report, path: Path) -> None:
    """Write a report to a file in the format of its ending: the whole file, or the file as it was before.

    Raises:
        ConfigError: the ending is unknown.
        AccumcheckError: the file could not be written, a full disk for example.
    """
    text = FORMATS[format_of(path)](report)
    target = path.resolve()
    temporary = target.with_name(f".accumcheck-{secrets.token_hex(6)}.tmp")
    try:
        try:
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
            if target.exists():
                shutil.copymode(target, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise AccumcheckError(f"{path}: the report could not be written: {error.strerror or error}") from error


def check_writable(paths: Iterable[Path]) -> None:
    """Check that reports can be written to all of these files, before anything expensive is done.

    Nothing is left behind where nothing was, and no file is changed.

    Raises:
        ConfigError: some cannot; the text has one line for each, saying why.
    """
    errors = [f"{path}: {reason}" for path in paths if (reason := _obstacle(path))]
    if errors:
        raise ConfigError("\n".join(errors))


def _obstacle(path: Path) -> str:
    """Why no report can be written to ``path``, or nothing."""
    try:
        target = path.resolve()
        if target.is_dir():
            return "is a folder; name a file in it"
        try:
            format_of(path)
        except ConfigError as error:
            return str(error).removeprefix(f"{path}: ")
        if not target.parent.is_dir():
            return f"the folder {target.parent} does not exist; create it first"
        try:
            if not stat.S_ISREG(target.stat().st_mode):
                return "is no ordinary file; a report would replace it"
            with target.open("r+b"):  # opened for writing, and left as it is
                pass
        except FileNotFoundError:
            target.touch(exist_ok=False)
            target.unlink()
        # A report is written beside its file first and then put in its place, so the folder must allow new files.
        beside = target.with_name(f".accumcheck-{secrets.token_hex(6)}.tmp")
        beside.touch(exist_ok=False)
        beside.unlink()
    except (OSError, RuntimeError) as error:
        return f"cannot be written: {getattr(error, 'strerror', None) or error}"
    return ""
