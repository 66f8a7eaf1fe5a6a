"""Exit codes that several commands share."""

from __future__ import annotations

PASSED = 0
USAGE = 2
UNDECIDED = 3
INTERRUPTED = 130


def without_pass(code: int) -> int:
    """The exit code if something that was requested is missing: 3 instead of 0, any other code unchanged."""
    return UNDECIDED if code == PASSED else code
