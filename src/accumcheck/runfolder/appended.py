"""A file of lines that several processes append to, and one reads while it grows."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path


def append_line(path: Path, line: str) -> None:
    """Append one line with one ``write``, so that lines of several processes never mix.

    Args:
        path: the file, which is made if it does not exist.
        line: with its newline.

    Raises:
        OSError: it could not be written completely, for example without free space.
    """
    text = line.encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(descriptor, text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(descriptor)


class AppendedLines:
    """Reads the lines that were appended to a file since the last call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[str]:
        """Yield every complete line since the last call; none while the file does not exist.

        Only asking for the size is cheap enough for a file that is looked at hundreds of times a second.
        """
        try:
            if self._path.stat().st_size <= self._offset:
                return
        except FileNotFoundError:
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield line.decode(errors="replace")
