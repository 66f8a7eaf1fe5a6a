"""A process of a run does not outlive the one that started it."""

from __future__ import annotations

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have this process killed when its parent's thread that started it ends; nothing happens where Linux is not.

    See prctl(2), PR_SET_PDEATHSIG. Elsewhere processes end with their group.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
