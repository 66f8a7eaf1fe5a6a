"""The contents of an environment, in ``environment.json``. It is read without trust in who wrote it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accumcheck.environments.ownership import PRIVATE_FILE

STAMP = "environment.json"
MOST_BYTES = 1_000_000
"""The largest size of a stamp. It has about forty bytes for every package."""
_LARGEST = 2**63


class BrokenStampError(Exception):
    """The stamp cannot be used. The text says why in a few words."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The record of a build. ``size``: bytes; the other fields as in `accumcheck.environments.entries.Entry`."""

    releases: Mapping[str, str]
    packages: Mapping[str, str]
    base: str
    size: int


def write_stamp(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the stamp of an environment, readable by this user alone.

    Args:
        folder: the environment, which has no stamp yet.
        content: ``releases``, ``packages``, ``base``, ``size``, and more.
    """
    descriptor = os.open(folder / STAMP, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, PRIVATE_FILE)
        file.write(json.dumps(content, indent=1))


def read_stamp(folder: Path) -> Stamp:
    """Read the stamp of an environment.

    Raises:
        BrokenStampError: it is missing, not a regular file, too large, not UTF-8, not JSON or of wrong types.
    """
    try:
        found = json.loads(_text(folder / STAMP))
    except RecursionError:
        raise BrokenStampError(f"{STAMP} is nested too deeply") from None
    except UnicodeDecodeError:
        raise BrokenStampError(f"{STAMP} is not UTF-8 text") from None
    except ValueError:
        raise BrokenStampError(f"{STAMP} is not JSON") from None
    if not isinstance(found, dict):
        raise BrokenStampError(f"{STAMP} is not a mapping")
    size, base = found.get("size"), found.get("base")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < _LARGEST:
        raise BrokenStampError(f"{STAMP} has no size")
    if not isinstance(base, str):
        raise BrokenStampError(f"{STAMP} has no base")
    return Stamp(_versions(found, "releases"), _versions(found, "packages"), base, size)


def _versions(found: dict[str, Any], name: str) -> dict[str, str]:
    versions = found.get(name)
    if not isinstance(versions, dict) or not all(isinstance(version, str) for version in versions.values()):
        raise BrokenStampError(f"{STAMP} has no {name}")
    return versions


def _text(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BrokenStampError(f"{STAMP} is missing") from None
    except OSError as error:
        what = "is a symbolic link" if path.is_symlink() else f"cannot be read: {error.strerror}"
        raise BrokenStampError(f"{STAMP} {what}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BrokenStampError(f"{STAMP} is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise BrokenStampError(f"{STAMP} is larger than {MOST_BYTES} bytes")
    return content.decode("utf-8")
