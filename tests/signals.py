"""Signals for programs that tests start: as in a terminal, however the tests themselves were started."""

from __future__ import annotations

import signal


def default_signals() -> None:
    """To be a child's ``preexec_fn``: a suite that runs in the background has SIGINT ignored, and hands that on."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_DFL)
