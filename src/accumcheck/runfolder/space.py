"""No space left on a device: how it is detected, and the message.

A process that fills a device can often not report it: numpy raises an error without errno, writing a mapped array ends
the process with SIGBUS, and the cause cannot be written there. So after every failure the device is checked as well.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

EXIT_NO_SPACE = 228
"""The exit code of a process that cannot write that no space is left: 200 + ENOSPC."""
_FULL = 64 * 2**10
"""Bytes; a device with less counts as full: one more block for every open file."""
_SHARED_MEMORY = Path("/dev/shm")


def is_no_space(error: BaseException) -> bool:
    """Whether this error, or one of its causes, says that a device is full or a quota is used up."""
    return any(isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT) for one in _chain(error))


def full_device(*folders: Path) -> str | None:
    """The message if no space is left for one of these folders, or for shared memory; None if there is space."""
    for folder in (*folders, _SHARED_MEMORY):
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        if found.f_blocks > 0 and (found.f_bavail * found.f_frsize < _FULL or _has_no_files(found)):
            return no_space(folder)
    return None


def no_space(folder: Path) -> str:
    """The message: which device is full, and what to do."""
    mount = _mount_of(folder)
    try:
        found = os.statvfs(mount)
        free, whole = (_readable(blocks * found.f_frsize) for blocks in (found.f_bavail, found.f_blocks))
        size = f" ({'no file can be added' if _has_no_files(found) else f'{free} of {whole} free'})"
    except OSError:
        size = ""
    remedy = "free some" if folder == _SHARED_MEMORY else "free some, or set TMPDIR to a folder on another device"
    return f"no space left on the device mounted at {mount}{size}, where the run keeps its files; {remedy}"


def _has_no_files(found: os.statvfs_result) -> bool:
    return found.f_files > 0 and found.f_favail == 0


def _readable(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 2**10:
            return f"{size:.0f} {unit}"
        size /= 2**10
    return f"{size:.0f} TiB"


def reserve_space(path: Path) -> None:
    """Allocate all blocks of a file's size, if the system can; otherwise they may be missing when it is written.

    Raises:
        OSError: there are too few free blocks.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("r+b") as stream:
        try:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if is_no_space(error):
                raise


def _mount_of(folder: Path) -> Path:
    """The mount point of the device with this folder."""
    try:
        place = folder.resolve()
        device = place.stat().st_dev
        while place.parent != place and place.parent.stat().st_dev == device:
            place = place.parent
    except OSError:
        return folder
    return place


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
