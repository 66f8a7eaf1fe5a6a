"""The cache folder: where environments stand, what is known of each, and which may go.

::

    <cache>/environments/
        transformers-4.49.0-1f0c2a9b7e/             complete: it is renamed to this only when it is
            environment.json                        what is in it; touched at every use
        .transformers-4.49.0-1f0c2a9b7e.building-x/ being built, or left by a build that was killed
        .locks/transformers-4.49.0-1f0c2a9b7e
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accumcheck.environments.lock import Lock
from accumcheck.environments.request import Request

STAMP = "environment.json"
_BUILDING = ".building-"
_REMOVING = ".removing-"
_LAYOUT = 1
"""Part of every key: raised when environments are built in another way, so that old ones are left alone."""
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One environment on the shelf, or the remains of a build.

    ``releases``: those asked for; ``packages``: all that was installed for them, with versions. ``size``: bytes, not
    counting what is shared with the environment below. ``last_used``: seconds since the epoch.
    """

    path: Path
    complete: bool
    last_used: float
    size: int
    in_use: bool = False
    releases: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    base: str = ""


class Shelf:
    """The environments under one folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else default_folder()

    def place(self, request: Request, recipe: Mapping[str, object]) -> Path:
        """Where the environment for a request over a base of this recipe stands, built or not."""
        pins = [str(pin) for pin in request.pins]
        key = hashlib.sha256(json.dumps([_LAYOUT, pins, recipe], sort_keys=True).encode()).hexdigest()[:10]
        name = "-".join(f"{pin.name}-{pin.version}" for pin in request.pins)[:80]
        return self.folder / f"{name}-{key}"

    def lock(self, place: Path) -> Lock:
        """The lock of one environment, not yet held."""
        return Lock(self.folder / ".locks" / place.name)

    @contextlib.contextmanager
    def building(self, place: Path) -> Iterator[Path]:
        """A folder to build in, which becomes ``place`` when the block ends well, and vanishes when it does not.

        Its name is used once: an installer that outlived the process that was killed cannot write into a later build.
        The lock must be held alone.
        """
        for remains in self.folder.glob(f".{place.name}{_BUILDING}*"):
            shutil.rmtree(remains, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{place.name}{_BUILDING}", dir=self.folder))
        try:
            yield temporary
            _remove(place)
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def stamp(self, folder: Path, content: Mapping[str, Any]) -> None:
        """Say what is in an environment; written last."""
        text = json.dumps({**content, "size": _size(folder)}, indent=1)
        (folder / STAMP).write_text(text, encoding="utf-8")

    def used(self, place: Path) -> None:
        """Note that an environment is in use now."""
        with contextlib.suppress(OSError):  # a cache that others own can still be read
            os.utime(place / STAMP)

    def entries(self) -> list[Entry]:
        """All that stands here, the last used first."""
        if not self.folder.is_dir():
            return []
        folders = (path for path in self.folder.iterdir() if path.is_dir() and path.name != ".locks")
        found = (entry for path in folders if (entry := self._entry(path)) is not None)
        return sorted(found, key=lambda entry: (-entry.last_used, entry.path.name))

    def prune(self, older_than: float, *, everything: bool = False) -> tuple[list[Entry], list[Entry]]:
        """Remove environments not used for ``older_than`` days, and remains of builds.

        Args:
            older_than: days.
            everything: remove all of them, whenever used.

        Returns:
            What was removed, and what would have been but is in use.
        """
        removed, kept = [], []
        for entry in self.entries():
            if entry.complete and not everything and time.time() - entry.last_used < older_than * _DAY:
                continue
            with self.lock(place_of(entry.path)) as lock:
                if lock.try_own():
                    _remove(entry.path)
                    removed.append(entry)
                else:
                    kept.append(entry)
        return removed, kept

    def _entry(self, path: Path) -> Entry | None:
        try:
            with self.lock(place_of(path)) as lock:
                in_use = not lock.try_own()
            if path.name.startswith("."):
                return Entry(path, complete=False, last_used=path.stat().st_mtime, size=_size(path), in_use=in_use)
            stamp = path / STAMP
            known = json.loads(stamp.read_text(encoding="utf-8"))
            return Entry(
                path,
                complete=True,
                last_used=stamp.stat().st_mtime,
                size=known["size"],
                in_use=in_use,
                releases=known["releases"],
                packages=known["packages"],
                base=known["base"],
            )
        except (OSError, ValueError, KeyError):  # it went, or is none of ours
            return None


def default_folder() -> Path:
    """``ACCUMCHECK_CACHE``, or ``accumcheck`` in ``XDG_CACHE_HOME`` or ``~/.cache``; environments have a room in it."""
    own = os.environ.get("ACCUMCHECK_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME")
    root = Path(own) if own else (Path(caches) if caches else Path.home() / ".cache") / "accumcheck"
    return root.absolute() / "environments"


def place_of(path: Path) -> Path:
    """The environment that a folder is, was or was to become."""
    name = path.name
    for mark in (_BUILDING, _REMOVING):
        if name.startswith("."):
            name = name.partition(mark)[0]
    return path.with_name(name.lstrip("."))


def _remove(place: Path) -> None:
    """Remove a folder; at no moment does half of it stand under its own name."""
    if not place.exists():
        return
    aside = place.with_name(f".{place_of(place).name}{_REMOVING}{os.getpid()}-{time.monotonic_ns()}")
    place.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total
