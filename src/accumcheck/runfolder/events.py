"""The event log: one JSON object per line, appended by every process of a run, followed by the parent.

A file rather than a pipe: workers are forked by a server that inherits nothing, and what was said last before a crash
stays readable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class EventLog:
    """Appends events; one ``write`` of less than a page each, so that lines of several processes never mix."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def emit(self, event: str, **fields: Any) -> None:
        """Append ``{"event": event, **fields}``."""
        line = json.dumps({"event": event, **fields}) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


class EventFollower:
    """Reads the events that were appended since it was last asked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield every complete line since the last call; none while the file does not exist."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)
