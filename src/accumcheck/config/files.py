"""Reads a file that the user names: a regular file of limited size, as UTF-8 text."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NoReturn

from accumcheck.config.faults import Place
from accumcheck.config.limits import FILE_BYTES
from accumcheck.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def read_text(path: Path, instead: str) -> str:
    """The text of a file.

    Args:
        path: as the user named it.
        instead: advice if it is missing or not a regular file, for example "give the path of a YAML file".

    Raises:
        ConfigError: it cannot be read, is longer than `limits.FILE_BYTES`, or is not UTF-8; it never waits for a pipe.
    """
    raw = _read(path, instead)
    if len(raw) > FILE_BYTES:
        _refuse(path, f"longer than {FILE_BYTES} bytes, which is the limit; {instead}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _refuse(path, f"not UTF-8 text (byte 0x{raw[error.start]:02x}); save the file as UTF-8", line)


def _read(path: Path, instead: str) -> bytes:
    """At most one byte more than allowed."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            _refuse(path, f"this is a directory; {instead}")
        if not stat.S_ISREG(mode):
            _refuse(path, f"this is not a regular file; {instead}")
        # never waits, even if a pipe has just replaced the file
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            return file.read(FILE_BYTES + 1)
    except FileNotFoundError:
        link = "the link leads to no file" if path.is_symlink() else "there is no such file"
        _refuse(path, f"{link}; {instead}")
    except (OSError, ValueError) as error:
        _refuse(path, f"cannot be read: {error.strerror if isinstance(error, OSError) else error}")


def _refuse(path: Path, message: str, line: int = 0) -> NoReturn:
    raise ConfigError(f"{Place(str(path), line)}: {message}")
