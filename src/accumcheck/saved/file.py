"""Reads the text of a saved file: a regular file of limited size, in UTF-8."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from accumcheck.errors import ConfigError

LARGEST = 16 * 2**20
"""Bytes. A report of 40 splits, each with the weights of 4096 samples, has a quarter of that."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """Read a whole file.

    Args:
        path: the file.
        largest: maximum size in bytes.

    Raises:
        ConfigError: it cannot be read, is a device, a pipe or too large, or is not UTF-8; one line that begins with
            the file's path.
    """
    try:
        # a pipe would wait for a writer
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            kind = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(kind):
                raise ConfigError(f"{path}: is a {'folder' if stat.S_ISDIR(kind) else 'device or pipe'}, not a file")
            with open(descriptor, "rb", closefd=False) as stream:
                raw = stream.read(largest + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > largest:
        raise ConfigError(f"{path}: is larger than {largest / 2**20:.0f} MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text, but binary or in another encoding") from None
