"""Reports in files: checks that a file can be written, and writes it atomically."""

from __future__ import annotations

import secrets
import shutil
import stat
from typing import TYPE_CHECKING

from accumcheck.errors import AccumcheckError, ConfigError
from accumcheck.report.registry import format_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def save(text: str, path: Path) -> None:
    """Write a text, such as a report, to a file atomically; if that fails, the file is unchanged.

    Raises:
        AccumcheckError: the file could not be written, for example on a full disk.
    """
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

    No file is left behind or changed.

    Raises:
        ConfigError: some cannot; the text has one line with the reason for each.
    """
    errors = [f"{path}: {reason}" for path in paths if (reason := _obstacle(path) or _unknown_format(path))]
    if errors:
        raise ConfigError("\n".join(errors))


def check_place(path: Path) -> None:
    """Check the same of a file that is no report, whatever its extension.

    Raises:
        ConfigError: it cannot be written; the text says why.
    """
    if reason := _obstacle(path):
        raise ConfigError(f"{path}: {reason}")


def _unknown_format(path: Path) -> str:
    """Why its extension names no format; empty if it does."""
    try:
        format_of(path)
    except ConfigError as error:
        return str(error).removeprefix(f"{path}: ")
    return ""


def _obstacle(path: Path) -> str:
    """Why nothing can be written to ``path``; empty if it can."""
    try:
        target = path.resolve()
        if target.is_dir():
            return "is a folder; name a file in it"
        if not target.parent.is_dir():
            return f"the folder {target.parent} does not exist; create it first"
        try:
            if not stat.S_ISREG(target.stat().st_mode):
                return "is not a regular file; what is written would replace it"
            with target.open("r+b"):  # opened for writing, but not changed
                pass
        except FileNotFoundError:
            target.touch(exist_ok=False)
            target.unlink()
        # A report is written to a new file in the folder first, which then replaces the old one.
        neighbour = target.with_name(f".accumcheck-{secrets.token_hex(6)}.tmp")
        neighbour.touch(exist_ok=False)
        neighbour.unlink()
    except (OSError, RuntimeError) as error:
        return f"cannot be written: {getattr(error, 'strerror', None) or error}"
    return ""
