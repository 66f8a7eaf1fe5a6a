"""A limit on how long a test may hang: the alarm of the process, which interrupts Python code wherever it is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what runs inside, once so many seconds have passed."""

    def ring(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"not finished after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
