"""The weights that each process of a program's split starts from: ``start-R.json`` in the split's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from accumcheck.runfolder.codec import read_record, write_record

_FILE = "start-{}.json"


def write_start(folder: Path, process: int, sums: Mapping[str, int]) -> None:
    """Write the checksums of one process's weights when its training begins, by the name of the parameter."""
    write_record(folder / _FILE.format(process), sums)


def read_unlike(folder: Path, processes: int) -> tuple[str, ...]:
    """The parameters that are not the same in all processes of a split when its training begins.

    A process without a file is left out.
    """
    files = [folder / _FILE.format(process) for process in range(processes)]
    starts = [read_record(dict[str, int], file) for file in files if file.exists()]
    if not starts:
        return ()
    first = starts[0]
    return tuple(
        name
        for name in dict.fromkeys(name for start in starts for name in start)
        if any(start.get(name) != first.get(name) for start in starts)
    )
