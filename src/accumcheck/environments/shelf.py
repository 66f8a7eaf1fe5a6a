"""The cache folder: where environments stand, and which may go.

::

    <cache>/environments/
        transformers-4.49.0-1f0c2a9b7e/             complete: it is renamed to this only when it is
            environment.json                        what is in it; touched at every use
        .transformers-4.49.0-1f0c2a9b7e.building-x/ being built, or left by a build that was killed
        .locks/transformers-4.49.0-1f0c2a9b7e

All of it belongs to this user, and nobody else can write to it: `Shelf.check` refuses anything else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from accumcheck.environments.entries import (
    BUILDING,
    LOCKS,
    Entry,
    links_in,
    lock_of,
    paths_in,
    read_entry,
    remove,
    size_of,
)
from accumcheck.environments.lock import Lock
from accumcheck.environments.ownership import (
    PRIVATE_FOLDER,
    check_folders,
    environment_faults,
    keep_others_out,
    make_private,
    raise_faults,
)
from accumcheck.environments.request import Request
from accumcheck.environments.stamp import STAMP, write_stamp

_LAYOUT = 1
"""Part of every key: raised when environments are built in another way, so that old ones are left alone."""
_DAY = 86_400.0


class Shelf:
    """The environments under one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: a cache of its own; else the room for environments in the user's cache."""
        self.folder = folder if folder is not None else default_folder()
        self._cache = folder if folder is not None else self.folder.parent

    def place(self, request: Request, recipe: Mapping[str, object]) -> Path:
        """Where the environment for a request over a base of this recipe stands, built or not."""
        pins = [pin.identity for pin in request.pins]
        key = hashlib.sha256(json.dumps([_LAYOUT, pins, recipe], sort_keys=True).encode()).hexdigest()[:10]
        name = "-".join(f"{pin.name}-{pin.version}" for pin in request.pins)[:80]
        return self.folder / f"{name}-{key}"

    def check(self) -> None:
        """Check that nobody else owns the cache or anything in it, or can write to it.

        Raises:
            ConfigError: somebody does; the text names each path and says what to do.
        """
        check_folders(self._cache, self.folder / LOCKS)
        raise_faults(
            fault for path in paths_in(self.folder) if not path.is_symlink() for fault in environment_faults(path)
        )

    def check_place(self, place: Path) -> None:
        """Check one environment, thoroughly, before its interpreter is run.

        Raises:
            ConfigError: as of `check`.
        """
        if not place.is_symlink():
            raise_faults(environment_faults(place, thorough=True))

    def lock(self, place: Path) -> Lock:
        """The lock of one environment, not yet held.

        Raises:
            ConfigError: the cache, or the lock, is not this user's alone.
            OSError: there can be no lock.
        """
        make_private(self._cache, self.folder / LOCKS)
        return Lock(lock_of(place))

    @contextlib.contextmanager
    def building(self, place: Path) -> Iterator[Path]:
        """A folder to build in, which becomes ``place`` when the block ends well, and vanishes when it does not.

        Its name is used once: an installer that outlived the process that was killed cannot write into a later build.
        The lock must be held alone.
        """
        make_private(self._cache, self.folder)
        for remains in self.folder.glob(f".{place.name}{BUILDING}*"):
            remove(remains)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}{BUILDING}", dir=self.folder))
        temporary.chmod(PRIVATE_FOLDER)
        try:
            yield temporary
            keep_others_out(temporary)
            remove(place)
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def stamp(self, folder: Path, content: Mapping[str, Any]) -> None:
        """Say what is in an environment; written last."""
        write_stamp(folder, {**content, "size": size_of(folder)})

    def used(self, place: Path) -> None:
        """Note that an environment is in use now."""
        with contextlib.suppress(OSError):  # on a disk that can only be read
            os.utime(place / STAMP, follow_symlinks=False)

    def entries(self) -> list[Entry]:
        """All that stands here, the last used first.

        Raises:
            ConfigError: as of `check`.
        """
        self.check()
        found = (entry for path in paths_in(self.folder) if (entry := read_entry(path)) is not None)
        return sorted(found, key=lambda entry: (-entry.last_used, entry.path.name))

    def prune(self, older_than: float, *, everything: bool = False) -> tuple[list[Entry], list[Entry]]:
        """Remove environments not used for ``older_than`` days, remains of builds, and what is broken.

        Args:
            older_than: days.
            everything: remove all of them, whenever used.

        Returns:
            What was removed, and what would have been but is in use.

        Raises:
            ConfigError: as of `check`.
        """
        check_folders(self._cache, self.folder)
        for link in links_in(self.folder / LOCKS):
            link.unlink(missing_ok=True)
        removed, kept = [], []
        for entry in self.entries():
            if entry.complete and not everything and time.time() - entry.last_used < older_than * _DAY:
                continue
            if entry.path.is_symlink():  # nobody holds a lock on what is never used
                remove(entry.path)
                removed.append(entry)
                continue
            with self.lock(entry.path) as lock:
                if lock.try_own():
                    remove(entry.path)
                    removed.append(entry)
                else:
                    kept.append(entry)
        return removed, kept


def default_folder() -> Path:
    """``ACCUMCHECK_CACHE``, or ``accumcheck`` in ``XDG_CACHE_HOME`` or ``~/.cache``; environments have a room in it."""
    own = os.environ.get("ACCUMCHECK_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME")
    root = Path(own) if own else (Path(caches) if caches else Path.home() / ".cache") / "accumcheck"
    return root.absolute() / "environments"
