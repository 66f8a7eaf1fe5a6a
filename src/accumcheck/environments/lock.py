"""One lock per environment, held by every process that uses or builds it; the kernel lets go when a process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType


class Lock:
    """A file lock (flock) with two strengths: many may use an environment, one alone may build or remove it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # never unlinked: two processes must not come to hold locks on two files of one name
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def try_use(self) -> bool:
        """Hold it with others, unless one holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_own(self) -> bool:
        """Hold it alone, unless anyone else holds it."""
        return self._try(fcntl.LOCK_EX)

    def wait_for(self, attempt: Callable[[], bool], wait: Callable[[], None]) -> None:
        """Attempt until it succeeds; ``wait`` is called between attempts, and may raise."""
        while not attempt():
            wait()

    def close(self) -> None:
        """Let go."""
        os.close(self._file)

    def __enter__(self) -> Lock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _try(self, operation: int) -> bool:
        try:
            fcntl.flock(self._file, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
