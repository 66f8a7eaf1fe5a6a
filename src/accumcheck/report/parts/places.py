"""The line of a run's configuration in its repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accumcheck.record import Report


def place(report: Report, split: str = "") -> tuple[str, int]:
    """The configuration's file and the line of a split in it, or of all splits.

    Returns:
        The file's path, relative to GitHub's workspace if it is in one; empty if there is no file. The line,
        counted from 1; 0 if there is no file.
    """
    written = report.config_file
    if written is None:
        return "", 0
    path = written.path
    if workspace := os.environ.get("GITHUB_WORKSPACE"):
        here, root = Path(path).resolve(), Path(workspace).resolve()
        path = here.relative_to(root).as_posix() if here.is_relative_to(root) else path
    return path, written.splits.get(split, written.line)
