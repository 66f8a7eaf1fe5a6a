"""The files that a check depends on, and which of them have changed, by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_READ_BYTES = 64 * 2**20
"""Files up to this size are compared by content, larger ones by the time of their last change."""
MOST_IN_FOLDER = 1000
"""Files of one folder that are watched; a model's has some ten."""
EDITED = (".py", ".yaml", ".yml")
"""Code and configurations, which are edited and not written by a check."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A state of a file. ``digest``: of its content, empty for a large file, which is then known by ``seen``."""

    seen: tuple[int, int, int]
    digest: str

    def is_same(self, other: Stamp | None) -> bool:
        """Whether the content is the same, whenever it was written."""
        if other is None:
            return False
        return self.seen == other.seen or (self.digest == other.digest != "" and self.seen[1] == other.seen[1])


class Files:
    """The watched files and folders. A folder stands for the files directly in it, those to come included."""

    def __init__(self) -> None:
        self._roots: dict[Path, None] = {}
        self._stamps: dict[Path, Stamp] = {}
        self._dropped: set[Path] = set()
        self._outputs: set[Path] = set()
        self.new: frozenset[Path] = frozenset()
        """Those of the last changes that were not there before."""

    def add(self, paths: Iterable[Path], since: float | None = None) -> None:
        """Watch these too; what they hold now is not a change, unless it was written after ``since``.

        Args:
            paths: files and folders; they need not exist.
            since: seconds since the epoch.
        """
        for path in paths:
            if path not in self._roots:
                self._roots[path] = None
                for file in _files_at(path):
                    stamp = _stamp(file, None)
                    if stamp is not None and (since is None or stamp.seen[0] <= since * 1e9):
                        self._stamps[file] = stamp

    def drop(self, paths: Iterable[Path]) -> None:
        """Never watch these files again."""
        self._dropped.update(paths)

    def drop_data_of(self, folders: Iterable[Path]) -> None:
        """From now on, watch only code and configurations in these folders."""
        self._outputs.update(folders)

    def is_in_folder(self, file: Path) -> bool:
        """Whether a file is watched because it lies in a watched folder."""
        return file not in self._roots and file.parent in self._roots

    def changed(self) -> list[Path]:
        """The files that were changed, made or removed since the last call, in order."""
        now: dict[Path, Stamp] = {}
        for root in self._roots:
            for file in _files_at(root):
                if file not in now and (stamp := _stamp(file, self._stamps.get(file))) is not None:
                    now[file] = stamp
        before, self._stamps = self._stamps, now
        gone = [file for file in before if file not in now]
        found = {*gone, *(file for file, stamp in now.items() if not stamp.is_same(before.get(file)))}
        self.new = frozenset(file for file in found if file not in before)
        return sorted(file for file in found - self._dropped if not self._is_output(file))

    def _is_output(self, file: Path) -> bool:
        return file.parent in self._outputs and file not in self._roots and file.suffix not in EDITED


def _files_at(path: Path) -> Iterator[Path]:
    """The path itself, or the files of a folder that are not hidden."""
    if not path.is_dir():
        yield path
        return
    try:
        names = sorted(one for one in path.iterdir() if not one.name.startswith(".") and one.is_file())
    except OSError:
        return
    yield from names[:MOST_IN_FOLDER]


def _stamp(path: Path, before: Stamp | None) -> Stamp | None:
    """The state of a file, None where there is none; its content is read only where its time or size is another."""
    try:
        found = path.stat()
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if before is not None and before.seen == seen:
            return before
        if found.st_size > MOST_READ_BYTES:
            return Stamp(seen, "")
        return Stamp(seen, hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError:
        return None
