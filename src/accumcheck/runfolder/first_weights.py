"""The initial weights of the process that came first: ``weights.json`` in the run's folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from accumcheck.runfolder.codec import read_record, write_record

_FILE = "weights.json"


@dataclass(frozen=True, slots=True)
class FirstWeights:
    """``who``: the process, in words; with the sum of bit patterns of each parameter."""

    who: str
    sums: Mapping[str, int]


def first_weights(run: Path, mine: FirstWeights) -> FirstWeights:
    """The weights of the process that came first to this run's folder; ``mine`` if it is this one."""
    written = run / f"{_FILE}.{os.getpid()}"
    write_record(written, mine)
    with contextlib.suppress(FileExistsError):
        os.link(written, run / _FILE)  # unlike a rename, it does not replace a file that exists
    written.unlink()
    return read_record(FirstWeights, run / _FILE)
