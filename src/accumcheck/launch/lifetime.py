"""Ends the conductor when its work is done, its parent is gone, or nothing can be written any more."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from accumcheck.runfolder.place import Place
from accumcheck.runfolder.space import EXIT_NO_SPACE, is_no_space

AS_ASKED = "as-asked"
"""The number of runs of a launch whose parent asks for one after the other."""


class Lifetime:
    """Ends the conductor, and with it every process of its group."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._orphaned = threading.Event()
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()

    def end_with_parent(self) -> None:
        """From now on, end the group when the parent closes its end of the standard input, or dies.

        If the parent died, the run's files are removed, since nobody will read them. A parent that is alive ends the
        group itself, and decides what is kept.
        """
        if os.getpgrp() == os.getpid():  # else a shell that started us by hand would be ended as well
            threading.Thread(target=self._wait_for_parent, daemon=True).start()

    def asked(self) -> Iterator[int]:
        """The numbers of the runs that the parent asks for, as it does, until it ends the group."""
        while True:
            yield self._asked.get()

    def end(self) -> NoReturn:
        """The work is done. Threads are not waited for: an abandoned agent must not block the run."""
        self._leave(0)

    def fail(self, error: OSError) -> NoReturn:
        """Events cannot be written any more, so the run could not be reported."""
        self._leave(EXIT_NO_SPACE if is_no_space(error) else 1, f"{type(error).__name__}: {error}")

    def _leave(self, code: int, words: str = "") -> NoReturn:
        with contextlib.suppress(OSError):
            if words:
                sys.stderr.write(f"{words}\n")
            sys.stdout.flush()
            sys.stderr.flush()
        while self._orphaned.is_set():  # the other thread removes the files and ends the process
            time.sleep(1)
        os._exit(code)

    def _wait_for_parent(self) -> None:
        for line in sys.stdin.buffer:  # until the parent closes its end, or dies
            self._asked.put(int(line))
        self._orphaned.set()
        _kill_others_of_group()
        self._place.remove()
        os.killpg(0, signal.SIGKILL)


def _kill_others_of_group() -> None:
    """Kill processes that could still write files while these are removed, if the system has a process list."""
    own = os.getpid()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != own and os.getpgid(int(entry.name)) == own:
                os.kill(int(entry.name), signal.SIGKILL)
