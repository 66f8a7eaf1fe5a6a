"""How a process ended, in words."""

from __future__ import annotations

import signal


def ending(code: int) -> str:
    """How a process ended, by its exit code as Python gives it: minus the signal's number for a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; the system may have run out of memory" if code == -signal.SIGKILL else ""
    return f"was killed by {name}{hint}"
