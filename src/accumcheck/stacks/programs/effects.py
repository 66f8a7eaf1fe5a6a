"""What a program would do to the world after its training: it is stopped before it does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accumcheck.stacks.programs.watch import FinishedError

CHANGES = ("os.", "shutil.", "socket.", "subprocess.", "tempfile.", "pty.", "ftplib.", "smtplib.", "urllib.")
"""How Python's audit events begin that are of more than this process; of ``os.`` some only read."""
READS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr", "os.putenv", "os.unsetenv")


def stop_before_effects(allowed: Path) -> Callable[[], None]:
    """End the program at the first thing that it would do to the world: write a file, start a process, connect.

    See the table of audit events in Python's documentation: what raises in a hook is not done.

    Args:
        allowed: a folder in which files may be made.

    Returns:
        What ends the watch; Python does not take a hook away.
    """
    own, active = str(allowed), True

    def end() -> None:
        nonlocal active
        active = False

    def audited(event: str, arguments: tuple[Any, ...]) -> None:
        if not active:
            return
        if event == "open":
            path, mode, flags = (*arguments, None, None, None)[:3]
            writes = any(letter in str(mode or "") for letter in "wax+") or bool(
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            if writes and not str(path).startswith((own, os.devnull)) and not isinstance(path, int):
                raise FinishedError
        elif event.startswith(CHANGES) and event not in READS:
            path = arguments[0] if arguments else ""
            if not str(path).startswith(own):
                raise FinishedError

    sys.addaudithook(audited)
    return end
