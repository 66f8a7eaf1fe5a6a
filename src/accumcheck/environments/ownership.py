"""Whose the cache is: what another user may have written is never executed, followed or believed.

Trusted is what belongs to this user and what nobody else can write to. A sticky bit does not help: it only keeps others
from removing what is there.
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
    """Check a folder of the cache and all above it, up to ``top``, the cache itself; what is not there is no fault.

    Args:
        top: the cache. It may be a symbolic link, since the user has named it.
        folder: a folder below it, or ``top``.

    Raises:
        ConfigError: one is another user's, can be written by others, or is a symbolic link.
    """
    # whoever owns a link says where it leads
    link = fault_of(top, link_is_fault=False, of_root=True) if top.is_symlink() else ""
    below = [one for one in (*reversed(folder.parents), folder) if top in one.parents]
    raise_faults([link, fault_of(Path(os.path.realpath(top))), *map(fault_of, below)])


def environment_faults(place: Path, *, thorough: bool = False) -> list[str]:
    """What of an environment is another user's, or can be written by others, one line for each path.

    Looked at are its folder, its interpreter, its metadata and the folders on the way to its packages. ``thorough``:
    where others can enter its folder, everything in it.
    """
    named = [place, place / "pyvenv.cfg", place / "bin", place / "lib"]
    packages = sorted(place.glob("lib/python3*/site-packages"))
    named += [one for folder in packages for one in (folder.parent, folder, *sorted(folder.glob("*.pth")))]
    faults = [fault_of(path) for path in named]
    faults.append(fault_of(place / "environment.json", link_is_fault=False))  # which is broken, and not read
    faults.append(_fault_of_interpreter(place / "bin" / "python"))
    with contextlib.suppress(OSError):
        if thorough and place.lstat().st_mode & _OTHERS_ENTER:
            faults += [fault_of(path, link_is_fault=False, of_root=True) for path in _everything_in(place)]
    return [*dict.fromkeys(filter(None, faults))]


def raise_faults(faults: Iterable[str]) -> None:
    """Refuse the cache.

    Raises:
        ConfigError: there is a fault; the text has a line for each of the first few, and what to do.
    """
    found = [fault for fault in faults if fault]
    if not found:
        return
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    advice = (
        "The cache of environments is not used: another user could have put a program there. If nobody else has, take "
        "the right to write away from others (chmod go-w); otherwise remove what is named, which is built again when "
        "it is needed. Or name a folder of your own with ACCUMCHECK_CACHE."
    )
    raise ConfigError("\n".join([*found[:_SHOWN], *more, advice]))


def fault_of(path: Path, *, link_is_fault: bool = True, of_root: bool = False) -> str:
    """Why a file or folder is not trusted, in one line, or nothing; what is not there is no fault.

    Args:
        path: the file or folder; a symbolic link is not followed.
        link_is_fault: else a link of this user's is none, wherever it leads.
        of_root: what belongs to root is as good as this user's own.
    """
    try:
        found = path.lstat()
    except OSError:
        return ""
    link = stat.S_ISLNK(found.st_mode)
    if found.st_uid != os.geteuid() and not (of_root and found.st_uid == _ROOT):
        return f"{path}: belongs to {_user(found.st_uid)}, not to {_user(os.geteuid())}"
    if link and link_is_fault:
        return f"{path}: is a symbolic link, which is never followed inside the cache; remove it"
    if not link and found.st_mode & OTHERS_WRITE:
        return f"{path}: others can write to it (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def make_private(top: Path, folder: Path) -> None:
    """Make a folder of the cache, and those above it that are missing, for this user alone, whatever the umask.

    Args:
        top: the cache.
        folder: a folder below it, or ``top``.

    Raises:
        ConfigError: one that is there is not trusted; see `check_folders`.
        OSError: it cannot be made.
    """
    for missing in _missing(folder):
        with contextlib.suppress(FileExistsError):
            missing.mkdir(PRIVATE_FOLDER)
            missing.chmod(PRIVATE_FOLDER)
    check_folders(top, folder)
    if not folder.is_dir():
        raise NotADirectoryError(20, "not a folder", str(folder))


def keep_others_out(folder: Path) -> None:
    """Take the right to write away from others in a whole folder, and to enter the folder itself.

    Files that a package installer has linked may be in its own cache as well, where others could reach them.
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
    # whoever laid the link is this user; it must lead to what others cannot change either
    target = Path(os.path.realpath(python))
    fault = fault_of(target, of_root=True)
    return f"{python}: leads to another interpreter; {fault}" if fault and not _is_this_python(target) else ""


def _is_this_python(path: Path) -> bool:
    """Whether it is the interpreter that runs now, whoever has installed it."""
    try:
        return path.samefile(sys.executable)
    except OSError:
        return False


def _everything_in(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name


def _missing(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the topmost first."""
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
