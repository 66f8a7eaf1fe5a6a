"""Whether the installed packages are those that they were: a fork server goes on with what it has imported."""

from __future__ import annotations

import sys
from pathlib import Path

_RECORDS = (".dist-info", ".egg-info", ".egg-link")


def installed() -> tuple[tuple[str, int], ...]:
    """The record that each package on the module search path leaves when it is installed, with the time of that."""
    found = []
    for folder in dict.fromkeys(sys.path):
        try:
            entries = list(Path(folder).iterdir()) if folder else []
            found += [(str(one), one.stat().st_mtime_ns) for one in entries if one.suffix in _RECORDS]
        except OSError:  # a zip file, a folder that does not exist, a package that is being removed
            continue
    return tuple(sorted(found))
