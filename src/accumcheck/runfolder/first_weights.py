"""The weights that a program's first process began with: ``weights.json`` in the run's folder."""

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
    """``who`` began, in words, with weights of which each parameter has this sum of bit patterns."""

    who: str
    sums: Mapping[str, int]


def first_weights(run: Path, mine: FirstWeights) -> FirstWeights:
    """Those of whoever came first to this run's folder, which are ``mine`` if nobody came before."""
    written = run / f"{_FILE}.{os.getpid()}"
    write_record(written, mine)
    with contextlib.suppress(FileExistsError):
        os.link(written, run / _FILE)  # unlike a rename, it does not replace what another has written
    written.unlink()
    return read_record(FirstWeights, run / _FILE)
