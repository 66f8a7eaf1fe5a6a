"""One lock per environment, held by every process that uses or builds it; the kernel lets go when a process dies."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from accumcheck.environments.ownership import PRIVATE_FILE, fault_of, raise_faults
from accumcheck.errors import ConfigError

_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Lock:
    """A file lock (flock) with two strengths: many may use an environment, one alone may build or remove it."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the lock's file in a folder that is there; it is not yet held.

        Raises:
            ConfigError: the file is a symbolic link, no ordinary file, or another user's.
            FileNotFoundError: it is not there, and is not to be made.
            OSError: it cannot be opened.
        """
        # never unlinked: two processes must not come to hold locks on two files of one name
        try:
            self._file = os.open(path, _FLAGS | (os.O_CREAT if create else 0), PRIVATE_FILE)
        except OSError as error:
            if error.errno == errno.ELOOP or path.is_symlink():
                raise_faults([fault_of(path)])
            raise
        found = os.fstat(self._file)
        if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
            os.close(self._file)
            raise_faults([fault_of(path) or f"{path}: is no ordinary file"])
        os.fchmod(self._file, PRIVATE_FILE)

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


def is_held(path: Path) -> bool:
    """Whether any process holds the lock; a lock that is not there, or is none, nobody holds."""
    try:
        lock = Lock(path, create=False)
    except (ConfigError, OSError):
        return False
    with lock:
        return not lock.try_own()
