"""The cache folder: where environments are stored, and which can be removed.

::

    <cache>/environments/
        transformers-4.49.0-1f0c2a9b7e/             complete: it gets this name only when it is complete
            environment.json                        its contents; touched at every use
        .transformers-4.49.0-1f0c2a9b7e.building-x/ being built, or left by a killed build
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

from accumcheck.cache_folder import cache_folder
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
"""Part of every key. It is increased when environments are built differently, so that old ones are not used."""
_DAY = 86_400.0


class Shelf:
    """The environments under one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        """``folder``: the folder to use; default: the folder for environments in the user's cache."""
        self.folder = folder if folder is not None else default_folder()
        self._cache = folder if folder is not None else self.folder.parent

    def place(self, request: Request, recipe: Mapping[str, object]) -> Path:
        """The folder of the environment for a request on a base with this recipe, built or not."""
        pins = [pin.identity for pin in request.pins]
        key = hashlib.sha256(json.dumps([_LAYOUT, pins, recipe], sort_keys=True).encode()).hexdigest()[:10]
        name = "-".join(f"{pin.name}-{pin.version}" for pin in request.pins)[:80]
        return self.folder / f"{name}-{key}"

    def check(self) -> None:
        """Check that the cache and everything in it belongs to this user, and that nobody else can write to it.

        Raises:
            ConfigError: it does not. The text names each path and says what to do.
        """
        check_folders(self._cache, self.folder / LOCKS)
        raise_faults(
            fault for path in paths_in(self.folder) if not path.is_symlink() for fault in environment_faults(path)
        )

    def check_place(self, place: Path) -> None:
        """Check one environment thoroughly, before its interpreter is run.

        Raises:
            ConfigError: see `check`.
        """
        if not place.is_symlink():
            raise_faults(environment_faults(place, thorough=True))

    def lock(self, place: Path) -> Lock:
        """The lock of one environment. It is not yet held.

        Raises:
            ConfigError: another user could have written to the cache or the lock.
            OSError: the lock cannot be made.
        """
        make_private(self._cache, self.folder / LOCKS)
        return Lock(lock_of(place))

    @contextlib.contextmanager
    def building(self, place: Path) -> Iterator[Path]:
        """A folder to build in. It becomes ``place`` if the block succeeds, and is removed if it does not.

        Its name is used only once, so an installer that outlives a killed process cannot write into a later build. The
        exclusive lock must be held.
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
        """Write the stamp with the contents of an environment. This is the last step of a build."""
        write_stamp(folder, {**content, "size": size_of(folder)})

    def used(self, place: Path) -> None:
        """Note that an environment is in use now."""
        with contextlib.suppress(OSError):  # the disk may be read-only
            os.utime(place / STAMP, follow_symlinks=False)

    def entries(self) -> list[Entry]:
        """All entries of the cache, the last used first.

        Raises:
            ConfigError: see `check`.
        """
        self.check()
        found = (entry for path in paths_in(self.folder) if (entry := read_entry(path)) is not None)
        return sorted(found, key=lambda entry: (-entry.last_used, entry.path.name))

    def prune(self, older_than: float, *, everything: bool = False) -> tuple[list[Entry], list[Entry]]:
        """Remove environments that were not used for ``older_than`` days, remains of builds, and broken entries.

        Args:
            older_than: days.
            everything: remove all of them, whenever they were used.

        Returns:
            The removed entries, and those that could not be removed because they are in use.

        Raises:
            ConfigError: see `check`.
        """
        check_folders(self._cache, self.folder)
        for link in links_in(self.folder / LOCKS):
            link.unlink(missing_ok=True)
        removed, kept = [], []
        for entry in self.entries():
            if entry.complete and not everything and time.time() - entry.last_used < older_than * _DAY:
                continue
            if entry.path.is_symlink():  # a link is never used, so nobody holds its lock
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
    """``environments`` in the cache folder, see `accumcheck.cache_folder`."""
    return cache_folder() / "environments"
