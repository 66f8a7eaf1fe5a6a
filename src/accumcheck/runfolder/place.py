"""Where a run keeps its files, and that nothing of it stays behind.

One folder for all that a launch writes: a folder for each plan, the conductor's log, and the temporary folder of every
process of the run. The parent holds a lock on it; when it ends, it removes the folder, or all but the logs that a
message names. Where the parent is killed, the conductor removes the folder; where both are, the next run does.
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
"""Locked by the parent as long as it lives; holds the id of the system's boot, since locks are of one system."""
_SHORT = Path("/tmp")
_LONGEST_FOLDER = 107 - len("/pymp-12345678/listener-12345678")
"""Characters of a temporary folder's path: multiprocessing and torch put sockets there, whose paths are bounded."""
_SHARED_MEMORY = Path("/dev/shm")
_REMOVALS, _PAUSE = 20, 0.1
"""How often a folder is tried to be removed, and the seconds between: a killed process may still be writing."""


@dataclass
class Place:
    """The folder of one launch. ``scratch``: the temporary folder of its processes; ``kept``: what is not removed."""

    root: Path
    scratch: Path
    kept: set[Path] = field(default_factory=set)

    def run(self, number: int) -> Path:
        """The folder of a plan."""
        return self.root / str(number)

    @property
    def conductor_log(self) -> Path:
        """Where the conductor's standard output and standard error go."""
        return self.root / "conductor.log"

    @property
    def semaphores(self) -> str:
        """How the names of the run's semaphores begin, which lie in shared memory under ``sem.NAME``."""
        return f"/{self.root.name}"

    def remove(self) -> None:
        """Remove all that the run has left, but for what is kept."""
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
    """Make the folder of a launch of so many plans in the user's temporary folder, and remove it at the end.

    What earlier runs left there whose parent and conductor were killed together is removed, too.

    Raises:
        OSError: it cannot be made.
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
    """Hold the lock that says that the owner of the folder lives; it is locked before it has its name.

    Where the file system has no locks there is none, and nobody but the owner removes the folder.
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
    """Remove the folders of this user's runs whose owner is gone, as the lock proves that it held.

    What was kept on purpose has no lock and stays, as does what this user does not own, and what was locked on another
    system, or before it was started again: nothing is proven of these.
    """
    for root in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _open_own(root / _OWNER) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where the owner lives
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
    """What tells this run of the operating system from others; empty where the system does not say."""
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
    """Remove all in a folder but what is kept, and what that lies in."""
    for path in folder.iterdir():
        if path in kept:
            continue
        if any(path in one.parents for one in kept):
            _empty(path, kept)
        elif path.is_dir() and not path.is_symlink():
            _remove(path)
        else:
            path.unlink(missing_ok=True)
