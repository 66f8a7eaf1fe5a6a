"""One lock per environment. Processes hold it while they use or build it; the kernel releases it when they end."""

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
    """A file lock (flock): shared for using an environment, exclusive for building or removing it."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the file of the lock in an existing folder. The lock is not yet held.

        Raises:
            ConfigError: the file is a symbolic link, not a regular file, or belongs to another user.
            FileNotFoundError: the file does not exist, and ``create`` is false.
            OSError: the file cannot be opened.
        """
        # never removed: two processes must not hold locks on two different files of the same name
        try:
            self._file = os.open(path, _FLAGS | (os.O_CREAT if create else 0), PRIVATE_FILE)
        except OSError as error:
            if error.errno == errno.ELOOP or path.is_symlink():
                raise_faults([fault_of(path)])
            raise
        found = os.fstat(self._file)
        if found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode):
            os.close(self._file)
            raise_faults([fault_of(path) or f"{path}: is not a regular file"])
        os.fchmod(self._file, PRIVATE_FILE)

    def try_use(self) -> bool:
        """Take the shared lock, unless another process holds the exclusive one. Returns whether it is held."""
        return self._try(fcntl.LOCK_SH)

    def try_own(self) -> bool:
        """Take the exclusive lock, unless another process holds the lock. Returns whether it is held."""
        return self._try(fcntl.LOCK_EX)

    def wait_for(self, attempt: Callable[[], bool], wait: Callable[[], None]) -> None:
        """Repeat an attempt until it succeeds. ``wait`` is called between attempts and may raise."""
        while not attempt():
            wait()

    def close(self) -> None:
        """Release the lock."""
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
    """Whether any process holds the lock. False if there is no lock at this path."""
    try:
        lock = Lock(path, create=False)
    except (ConfigError, OSError):
        return False
    with lock:
        return not lock.try_own()
