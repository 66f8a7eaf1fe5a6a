"""Where accumcheck keeps what it uses again, such as environments."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``ACCUMCHECK_CACHE``, or ``accumcheck`` in ``XDG_CACHE_HOME`` or ``~/.cache``.

    Raises:
        RuntimeError: the user's home is not known.
    """
    own = os.environ.get("ACCUMCHECK_CACHE")
    caches = os.environ.get("XDG_CACHE_HOME")
    root = Path(own) if own else (Path(caches) if caches else Path.home() / ".cache") / "accumcheck"
    return root.absolute()
