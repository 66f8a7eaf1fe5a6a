"""Ends a process of a run together with the process that started it."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(by: int = signal.SIGKILL) -> None:
    """Have this process sent a signal when the parent's thread that started it ends; only on Linux.

    See prctl(2), PR_SET_PDEATHSIG. Elsewhere processes end with their group.

    Args:
        by: the signal; 0 for none any more.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, by)
