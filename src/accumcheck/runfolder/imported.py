"""Which files of the user's own a job has run, noted by its processes: ``imported-R.json`` in the job's folder.

Only a launch that watches files asks for it, with the environment variable `NOTE_IMPORTS`.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from accumcheck.runfolder.codec import read_record, write_record

NOTE_IMPORTS = "ACCUMCHECK_NOTE_IMPORTS"


@dataclass(frozen=True, slots=True)
class Imported:
    """Python files outside of the installed packages and the standard library.

    ``files``: those that were run; ``preloaded``: those of them that the fork server had imported before, so that a
    new worker has them as they were then.
    """

    files: tuple[str, ...] = ()
    preloaded: tuple[str, ...] = ()


def write_imported(folder: Path, process: int, imported: Imported) -> None:
    """Note what a process has run in its job's folder; nothing is noted on a full disk, which others report."""
    with contextlib.suppress(OSError):
        write_record(folder / f"imported-{process}.json", imported)


def read_imported(run: Path) -> Imported:
    """What all processes of a run have noted."""
    files: set[str] = set()
    preloaded: set[str] = set()
    for path in sorted(run.glob("*/imported-*.json")):
        noted = read_record(Imported, path)
        files |= set(noted.files)
        preloaded |= set(noted.preloaded)
    return Imported(tuple(sorted(files)), tuple(sorted(preloaded)))
