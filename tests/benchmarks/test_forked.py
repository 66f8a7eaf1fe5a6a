"""What is done under a mutant is done in a process of its own, and cannot harm the one that asked."""

from __future__ import annotations

import os

import pytest
from mutation.forked import forked

pytestmark = pytest.mark.process


def fails() -> str:
    raise ValueError("3 is wrong")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_is_returned_raised_and_left_behind_is_told() -> None:
    mine = str(os.getpid())
    assert forked("none", lambda: str(os.getpid())) not in ("", mine)
    assert forked("none", fails) == "ValueError: 3 is wrong"
    assert forked("none", lambda: os._exit(3)) == ""
