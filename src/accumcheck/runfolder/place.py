"""Where a run keeps its files, and how they are removed.

One folder holds everything that a launch writes: a folder per plan, the conductor's log, and a temporary folder for all
processes. The parent holds a lock on it; when it ends, it removes the folder, or everything except the logs that a
message names. If the parent is killed, the conductor removes the folder; if both are, the next run does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PREFIX = "accumcheck-"
_OWNER = "owner.lock"
"""Locked by the parent while it is alive; holds the id of the system's boot, since locks belong to one system."""
_SHORT = Path("/tmp")
_LONGEST_FOLDER = 107 - len("/pymp-12345678/listener-12345678")
"""Maximum length of a temporary folder's path: sockets of multiprocessing and torch there have limited paths."""
_SHARED_MEMORY = Path("/dev/shm")
_REMOVALS, _PAUSE = 20, 0.1
"""Number of attempts to remove a folder, and the seconds between: a killed process may still be writing."""


@dataclass
class Place:
    """The folder of one launch. ``scratch``: the temporary folder of its processes; ``kept``: paths to keep."""

    root: Path
    scratch: Path
    kept: set[Path] = field(default_factory=set)

    def run(self, number: int) -> Path:
        """The folder of a plan."""
        return self.root / str(number)

    @property
    def conductor_log(self) -> Path:
        """The file for the conductor's standard output and standard error."""
        return self.root / "conductor.log"

    @property
    def semaphores(self) -> str:
        """The prefix of the run's semaphores, which are in shared memory as ``sem.NAME``."""
        return f"/{self.root.name}"

    def remove(self) -> None:
        """Remove everything that the run has left, except ``kept``."""
        for path in _SHARED_MEMORY.glob(f"sem.{self.root.name}-*"):
            path.unlink(missing_ok=True)
        if self.root not in self.scratch.parents:
            _remove(self.scratch)
        kept = [path for path in self.kept if path.exists()]
        if kept:
            _empty(self.root, kept)
        else:
            _remove(self.root)


@contextlib.contextmanager
def new_place(runs: int) -> Iterator[Place]:
    """Make the folder of a launch with this many plans in the user's temporary folder, and remove it at the end.

    Folders of earlier runs whose parent and conductor were both killed are removed as well.

    Raises:
        OSError: the folder cannot be made.
    """
    remove_stale(Path(tempfile.gettempdir()))
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_locked(root))
            place = Place(root, _make_folders(root, runs))
        except OSError:
            _remove(root)
            raise
        try:
            yield place
        finally:
            place.remove()


def _make_folders(root: Path, runs: int) -> Path:
    for number in range(runs):
        (root / str(number)).mkdir()
    scratch = root / "tmp"
    if len(str(scratch)) > _LONGEST_FOLDER and _SHORT.is_dir() and os.access(_SHORT, os.W_OK):
        scratch = _SHORT / root.name
    scratch.mkdir(mode=0o700)
    return scratch


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the lock that shows that the folder's owner is alive; the file is locked before it gets its name.

    On a file system without locks, only the owner removes the folder.
    """
    unnamed = root / f"{_OWNER}.part"
    with unnamed.open("w", encoding="utf-8") as stream:
        stream.write(_boot())
        stream.flush()
        with contextlib.suppress(OSError):
            fcntl.flock(stream, fcntl.LOCK_EX)
            unnamed.rename(root / _OWNER)
        yield


def remove_stale(folder: Path) -> None:
    """Remove the folders of this user's runs whose owner is gone, as shown by its released lock.

    Folders kept on purpose have no lock and stay. So do those that this user does not own, and those locked on another
    system or before a reboot: their lock proves nothing.
    """
    for root in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _open_own(root / _OWNER) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails if the owner is alive
            if stream.read() == _boot() != "" and _is_own_folder(root):
                Place(root, _SHORT / root.name if _is_own_folder(_SHORT / root.name) else root / "tmp").remove()


def _open_own(path: Path) -> IO[str]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    stream = os.fdopen(descriptor, encoding="utf-8")
    if os.fstat(descriptor).st_uid != os.geteuid():
        stream.close()
        raise PermissionError(path)
    return stream


def _is_own_folder(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _boot() -> str:
    """An id of this boot of the operating system; empty if the system has none."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return ""


def _remove(folder: Path) -> None:
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE)


def _empty(folder: Path, kept: list[Path]) -> None:
    """Remove everything in a folder except the kept paths and the folders around them."""
    for path in folder.iterdir():
        if path in kept:
            continue
        if any(path in one.parents for one in kept):
            _empty(path, kept)
        elif path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink(missing_ok=True)
