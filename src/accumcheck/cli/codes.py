"""Exit codes that belong to no single command."""

from __future__ import annotations

PASSED = 0
USAGE = 2
UNDECIDED = 3
INTERRUPTED = 130


def without_pass(code: int) -> int:
    """What a command ends with where something that was asked for is missing: 0 becomes 3, all else stays."""
    return UNDECIDED if code == PASSED else code
