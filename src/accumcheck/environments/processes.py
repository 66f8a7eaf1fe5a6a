"""Run uv and the interpreters that it installs. An interruption ends all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from accumcheck.errors import LaunchError


class StoppedError(Exception):
    """The work was cancelled; the code that cancelled it reports why."""


class Processes:
    """Runs commands to their end, from several threads. `stop` ends running commands and refuses new ones."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def run(
        self, command: Sequence[str], *, text: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command with ``text`` on its standard input.

        Raises:
            StoppedError: `stop` was called.
            LaunchError: the command could not be started.
        """
        with self._lock:
            if self._stopped.is_set():
                raise StoppedError
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=None if environment is None else {**os.environ, **environment},
                    start_new_session=True,  # Ctrl-C only reaches accumcheck, which then ends the command
                )
            except OSError as error:
                raise LaunchError(f"{command[0]} cannot be run: {error.strerror}") from error
            self._running.add(process)
        try:
            out, err = process.communicate(text)
        finally:
            with self._lock:
                self._running.discard(process)
                if process.poll() is None:
                    _end(process)
        if self._stopped.is_set():
            raise StoppedError
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def pause(self, seconds: float) -> None:
        """Wait, unless the work was cancelled.

        Raises:
            StoppedError: `stop` was called.
        """
        if self._stopped.wait(seconds):
            raise StoppedError

    def stop(self) -> None:
        """End running commands, and let no new one start."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
