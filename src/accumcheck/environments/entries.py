"""The contents of the cache folder: complete environments, remains of builds, and broken entries."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from accumcheck.environments.lock import is_held
from accumcheck.environments.stamp import STAMP, BrokenStampError, read_stamp

LOCKS = ".locks"
BUILDING = ".building-"
_REMOVING = ".removing-"
_NAMED_BY_US = re.compile(r"-[0-9a-f]{10}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One environment in the cache, the remains of a build, or a broken entry.

    ``broken``: why it cannot be used; else empty. ``releases``: the requested releases; ``packages``: all packages
    that were installed for them, with versions. ``size``: bytes, without what is shared with the environment below.
    ``last_used``: seconds since the epoch.
    """

    path: Path
    complete: bool
    last_used: float
    size: int
    in_use: bool = False
    broken: str = ""
    releases: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    base: str = ""


def paths_in(folder: Path) -> list[Path]:
    """All paths in the cache folder that belong to accumcheck: folders made by a build, and symbolic links."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return [path for path in folder.iterdir() if path.name != LOCKS and _is_ours(path)]
    return []


def read_entry(path: Path) -> Entry | None:
    """The entry at a path in the cache folder; None if it was removed meanwhile."""
    try:
        changed = path.lstat().st_mtime
        if path.is_symlink():
            return Entry(path, False, changed, 0, broken="a symbolic link")
        in_use = is_held(lock_of(path))
        if path.name.startswith("."):
            return Entry(path, False, changed, size_of(path), in_use)
        try:
            known = read_stamp(path)
        except BrokenStampError as error:
            return Entry(path, False, changed, size_of(path), in_use, str(error))
        used = (path / STAMP).lstat().st_mtime
        return Entry(path, True, used, known.size, in_use, "", known.releases, known.packages, known.base)
    except OSError:
        return None


def lock_of(path: Path) -> Path:
    """The lock of the environment that a folder is, was or should become."""
    return path.parent / LOCKS / place_of(path).name


def place_of(path: Path) -> Path:
    """The environment that a folder is, was or should become."""
    name = path.name
    for mark in (BUILDING, _REMOVING):
        if name.startswith("."):
            name = name.partition(mark)[0]
    return path.with_name(name.lstrip(".") or path.name)


def remove(place: Path) -> None:
    """Remove a folder. It is renamed first, so it is never half removed. Of a symbolic link only the link goes."""
    if not os.path.lexists(place):
        return
    if place.is_symlink() or not place.is_dir():
        place.unlink(missing_ok=True)
        return
    aside = place.with_name(f".{place_of(place).name}{_REMOVING}{os.getpid()}-{time.monotonic_ns()}")
    place.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def size_of(folder: Path) -> int:
    """The size of the files below a folder, in bytes."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _is_ours(path: Path) -> bool:
    if path.is_symlink():
        return True
    if not path.is_dir():
        return False
    if path.name.startswith("."):
        return BUILDING in path.name or _REMOVING in path.name
    return os.path.lexists(path / STAMP) or bool(_NAMED_BY_US.search(path.name[-11:]))


def links_in(folder: Path) -> Iterator[Path]:
    """The symbolic links in a folder, which may itself be one."""
    if folder.is_symlink():
        yield folder
    elif folder.is_dir():
        yield from (path for path in folder.iterdir() if path.is_symlink())
