"""Signals that stop the program: Ctrl-C (SIGINT), a CI system's request (SIGTERM), a closed terminal (SIGHUP).

All three mean the same: everything running is stopped, and the exit code is 130. One that was ignored when the program
was started, as ``nohup`` does with SIGHUP and a shell with the SIGINT of a background job, stays ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from accumcheck.cli.codes import INTERRUPTED

TYPE_CHECKING = False  # typing is not imported here: it would delay the moment from which signals are handled
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REPEAT_SECONDS = 10.0
"""A closed terminal sends several signals, and people press Ctrl-C twice: a second one within this time is dropped, so
that it does not interrupt the cleanup of the run's processes and files."""
_RESEND_SECONDS = 0.05


class Signals:
    """Turns the signals into KeyboardInterrupt or, before anything was started, ends the process at once."""

    def __init__(self, *, starting: bool) -> None:
        """``starting``: nothing but imports has happened yet; `started` says when that is over."""
        self._starting = starting
        self._over = False
        self._last: float | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._unraisable = sys.unraisablehook

    def take(self) -> None:
        """Handle the signals; ignored ones stay ignored."""
        for one in ENDING:
            if signal.getsignal(one) not in (signal.SIG_IGN, None):  # None: handled by someone outside Python
                self._before[one] = signal.signal(one, self._on_signal)
        sys.unraisablehook = self._on_unraisable

    def give_back(self) -> None:
        """Undo `take`."""
        for one, handler in self._before.items():
            signal.signal(one, handler)
        sys.unraisablehook = self._unraisable

    def started(self) -> None:
        """From now on there may be something to clean up: signals raise KeyboardInterrupt."""
        self._starting = False

    def over(self) -> None:
        """The exit code is known and nothing is running: signals have no effect from now on."""
        self._over = True

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._starting:
            # KeyboardInterrupt is not safe during imports: some modules catch it, and Python swallows it in places.
            try:
                os.write(2, b"accumcheck: interrupted; nothing was started\n")
            finally:
                os._exit(INTERRUPTED)
        now = time.monotonic()
        if self._over or (self._last is not None and now - self._last < REPEAT_SECONDS):
            return
        self._last = now
        raise KeyboardInterrupt

    def _on_unraisable(self, told: sys.UnraisableHookArgs) -> None:
        """Python drops an exception raised in a destructor, for example; the interruption is then sent again soon."""
        if not (isinstance(told.exc_type, type) and issubclass(told.exc_type, KeyboardInterrupt)):
            self._unraisable(told)
            return
        import threading

        self._last = None
        again = threading.Timer(_RESEND_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()
