"""uv and the interpreters that it makes, run so that an interruption ends them all."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from accumcheck.errors import LaunchError


class StoppedError(Exception):
    """The work was called off; whoever called it off says why."""


class Processes:
    """Runs commands to their end, from several threads; after `stop`, every one that runs or is asked for ends."""

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
                    start_new_session=True,  # Ctrl-C reaches accumcheck alone, which then ends the command
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
        """Wait, but not when everything was called off.

        Raises:
            StoppedError: `stop` was called.
        """
        if self._stopped.wait(seconds):
            raise StoppedError

    def stop(self) -> None:
        """End what runs, and let nothing start any more."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
