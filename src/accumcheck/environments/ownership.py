"""Check who owns the cache. What another user may have written is never executed, followed or trusted.

A path is trusted if it belongs to this user and nobody else can write to it. A sticky bit is not enough: it only
prevents others from removing files.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from accumcheck.errors import ConfigError

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
_ROOT = 0
_SHOWN = 5


def check_folders(top: Path, folder: Path) -> None:
    """Check a folder of the cache and all folders above it, up to ``top``. A missing folder is not a fault.

    Args:
        top: the cache. It may be a symbolic link, because the user chose it.
        folder: a folder below it, or ``top``.

    Raises:
        ConfigError: a folder belongs to another user, can be written by others, or is a symbolic link.
    """
    # the owner of a link decides where it leads
    link = fault_of(top, link_is_fault=False, of_root=True) if top.is_symlink() else ""
    below = [one for one in (*reversed(folder.parents), folder) if top in one.parents]
    raise_faults([link, fault_of(Path(os.path.realpath(top))), *map(fault_of, below)])


def environment_faults(place: Path, *, thorough: bool = False) -> list[str]:
    """The paths of an environment that belong to another user or can be written by others, one line for each.

    Its folder, its interpreter, its metadata and the folders above its packages are checked. ``thorough``: if others
    can enter its folder, everything in it is checked.
    """
    named = [place, place / "pyvenv.cfg", place / "bin", place / "lib"]
    packages = sorted(place.glob("lib/python3*/site-packages"))
    named += [one for folder in packages for one in (folder.parent, folder, *sorted(folder.glob("*.pth")))]
    faults = [fault_of(path) for path in named]
    faults.append(fault_of(place / "environment.json", link_is_fault=False))  # a link here is broken, and not read
    faults.append(_fault_of_interpreter(place / "bin" / "python"))
    with contextlib.suppress(OSError):
        if thorough and place.lstat().st_mode & _OTHERS_ENTER:
            faults += [fault_of(path, link_is_fault=False, of_root=True) for path in _everything_in(place)]
    return [*dict.fromkeys(filter(None, faults))]


def raise_faults(faults: Iterable[str]) -> None:
    """Refuse a cache with faults.

    Raises:
        ConfigError: there is a fault. The text lists the first few and says what to do.
    """
    found = [fault for fault in faults if fault]
    if not found:
        return
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    advice = (
        "The cache of environments is not used, because another user could have put a program there. If you trust its "
        "contents, remove the write permission of others (chmod go-w). Otherwise remove the paths listed; they are "
        "built again when needed. Or set ACCUMCHECK_CACHE to your own folder."
    )
    raise ConfigError("\n".join([*found[:_SHOWN], *more, advice]))


def fault_of(path: Path, *, link_is_fault: bool = True, of_root: bool = False) -> str:
    """Why a file or folder is not trusted, in one line; empty if it is trusted or missing.

    Args:
        path: the file or folder; a symbolic link is not followed.
        link_is_fault: whether a symbolic link of this user is a fault.
        of_root: whether paths that belong to root are trusted too.
    """
    try:
        found = path.lstat()
    except OSError:
        return ""
    link = stat.S_ISLNK(found.st_mode)
    if found.st_uid != os.geteuid() and not (of_root and found.st_uid == _ROOT):
        return f"{path}: belongs to {_user(found.st_uid)}, not to {_user(os.geteuid())}"
    if link and link_is_fault:
        return f"{path}: is a symbolic link; links inside the cache are never followed; remove it"
    if not link and found.st_mode & OTHERS_WRITE:
        return f"{path}: others can write to it (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def make_private(top: Path, folder: Path) -> None:
    """Make a folder of the cache and the missing folders above it, accessible only to this user, whatever the umask.

    Args:
        top: the cache.
        folder: a folder below it, or ``top``.

    Raises:
        ConfigError: an existing folder is not trusted; see `check_folders`.
        OSError: the folder cannot be made.
    """
    for missing in _missing(folder):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(PRIVATE_FOLDER)
            missing.chmod(PRIVATE_FOLDER)
    check_folders(top, folder)
    if not folder.is_dir():
        raise NotADirectoryError(20, "not a folder", str(folder))


def keep_others_out(folder: Path) -> None:
    """Remove others' permission to write anywhere in a folder, and to enter the folder itself.

    A package installer may have hard-linked files from its own cache, where others could reach them.
    """
    folder.chmod(PRIVATE_FOLDER)
    for path in _everything_in(folder):
        with contextlib.suppress(OSError):
            mode = path.lstat().st_mode
            if mode & OTHERS_WRITE and not stat.S_ISLNK(mode):
                path.chmod(stat.S_IMODE(mode) & ~OTHERS_WRITE)


def _fault_of_interpreter(python: Path) -> str:
    if fault := fault_of(python, link_is_fault=False):
        return fault
    if not python.is_symlink():
        return ""
    # the link belongs to this user; others must not be able to change its target either
    target = Path(os.path.realpath(python))
    fault = fault_of(target, of_root=True)
    return f"{python}: leads to another interpreter; {fault}" if fault and not _is_this_python(target) else ""


def _is_this_python(path: Path) -> bool:
    """Whether it is the running interpreter, whoever installed it."""
    try:
        return path.samefile(sys.executable)
    except OSError:
        return False


def _everything_in(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name


def _missing(folder: Path) -> list[Path]:
    """The folder and the folders above it that are missing, the topmost first."""
    found: list[Path] = []
    while not os.path.lexists(folder) and folder != folder.parent:
        found.append(folder)
        folder = folder.parent
    return found[::-1]


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
