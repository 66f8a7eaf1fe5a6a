"""Places in installed code, as messages name them: ``transformers/trainer.py:2106``."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def place(file: str, line: int) -> str:
    """``file:line``, the file relative to the entry of ``sys.path`` that it was imported from."""
    roots = sorted((root for root in sys.path if root and file.startswith(root.rstrip("/") + "/")), key=len)
    return f"{Path(file).relative_to(roots[-1]).as_posix() if roots else file}:{line}"


def first_line(file: str, word: str, pattern: str) -> str | None:
    """The place of the first line of ``file`` that has ``word`` and that ``pattern`` matches anywhere, or None."""
    lines = enumerate(Path(file).read_text(encoding="utf-8").splitlines(), start=1)
    found = next((number for number, line in lines if word in line and re.search(pattern, line)), None)
    return None if found is None else place(file, found)
