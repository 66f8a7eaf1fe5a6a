"""Arrays of a run's folder, read when they are used: all gradients of a run are often larger than what is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SMALL = 2**16
"""Bytes. A file up to this size is read at once, since mapping it would take longer."""


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array in a ``.npy`` file, read-only. A large one is mapped to its file, which may be deleted.

    Raises:
        OSError: there is no such file.
        EOFError: it is empty.
        ValueError: it does not contain an array.
    """
    found = np.asarray(np.load(path, mmap_mode=None if path.stat().st_size <= SMALL else "r"))
    found.flags.writeable = False  # as that of a large one
    return found
