"""Stop a program after its training, before it writes a file, starts a process or connects to anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accumcheck.stacks.programs.watch import FinishedError

CHANGES = ("os.", "shutil.", "socket.", "subprocess.", "tempfile.", "pty.", "ftplib.", "smtplib.", "urllib.")
"""How the names of Python's audit events begin that affect more than this process. Some of ``os.`` only read."""
READS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.getxattr", "os.listxattr", "os.putenv", "os.unsetenv")


def stop_before_effects(allowed: Path) -> Callable[[], None]:
    """End the program before its first effect outside this process: it writes a file, starts a process or connects.

    See the table of audit events in Python's documentation: if a hook raises, the action is not done.

    Args:
        allowed: a folder in which the program may write files.

    Returns:
        A function that ends the watch (Python cannot remove a hook).
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
