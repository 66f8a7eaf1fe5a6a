"""Ends a process of a run together with the process that started it."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(yes: bool = True) -> None:
    """Have this process killed when the parent's thread that started it ends; only on Linux.

    See prctl(2), PR_SET_PDEATHSIG. Elsewhere processes end with their group.

    Args:
        yes: False undoes it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL if yes else 0)
