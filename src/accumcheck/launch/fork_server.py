"""The server that forks every worker: started once, monitored, and safe to use from the threads of several jobs."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import multiprocessing.connection
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import context, forkserver, popen_forkserver, resource_tracker, util
from typing import Any, ClassVar

from accumcheck.errors import LaunchError
from accumcheck.launch.endings import ending

POLL_SECONDS = 0.05
START_SECONDS = 10.0
"""How long a job waits for a server; after one has died, for the next."""
MOST_STARTS = 5
"""How often the server is started in one run; a server that is killed repeatedly would be killed again."""
DEATH_SECONDS = 2.0
"""How long it may take to learn of the server's end: its pipes close before the process is gone."""


class WorkerHandle(popen_forkserver.Popen):
    """One worker's handle in multiprocessing; its exit code is read by one thread at a time.

    The code comes through a pipe, once. ``Process.start`` also checks whether other processes of the program have
    ended, so the thread that starts a job may read the exit code of another job's worker while that job's own thread
    does. One of the two gets the code; the other finds the pipe at its end, which multiprocessing reports as exit
    code 255, even if the worker succeeded (`multiprocessing.popen_forkserver.Popen.poll`, CPython 3.10 to 3.14).
    """

    codes: ClassVar[dict[int, int]] = {}
    """The exit codes read, by the workers' process ids: torch's agent keeps only one of a failed job's."""

    def __init__(self, process: Any) -> None:
        self._reading = threading.Lock()
        super().__init__(process)
        self.codes.pop(self.pid, None)  # of an earlier process with this id, in a launch of many runs

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        """The exit code, or None while the worker lives; without ``os.WNOHANG``, wait for it."""
        if flag != os.WNOHANG and self.returncode is None:
            multiprocessing.connection.wait([self.sentinel])  # outside the lock: it may take long
        with self._reading:
            code = super().poll(os.WNOHANG)
        if code is not None:
            self.codes[self.pid] = code
        return code

    def close(self) -> None:
        """Close the pipe while no thread is reading it."""
        with self._reading:
            super().close()


class ForkServer:
    """The fork server of this process. If it dies, it is started again for the next jobs; the cause of death is kept.

    On Linux it ends with the thread that started it (`accumcheck.work.end_with_parent`): the first is started by the
    thread that calls `start`, the next ones by a thread that lives as long as this process.
    """

    def __init__(self) -> None:
        self._deaths: list[tuple[float, str]] = []
        self._ready = threading.Event()
        self._starts = 0
        self._may_start = threading.Condition()

    def start(self, preload: Sequence[str]) -> None:
        """Start it, and let it import these modules; multiprocessing then does not start its own.

        On Linux it is forked from this process, and has at once what this process has imported. Elsewhere it is an
        interpreter of its own: the system libraries of macOS may have started threads, with which a fork can crash.
        Must be called while this process has one thread.
        """
        resource_tracker.ensure_running()  # with an interpreter of its own, as always
        multiprocessing.set_forkserver_preload(list(preload))
        server: Any = forkserver._forkserver
        start = server.ensure_running
        with _forked() if sys.platform == "linux" else contextlib.nullcontext():
            started = self._started_by(start)
        context.ForkServerProcess._Popen = staticmethod(WorkerHandle)  # type: ignore[assignment]
        server.ensure_running = self._check_running
        threading.Thread(target=self._keep, args=(server, start, started), daemon=True).start()

    def renew(self) -> None:
        """A run begins, in which the server may be started `MOST_STARTS` times."""
        with self._may_start:
            self._starts = min(self._starts, 1)  # the one that is alive
            self._may_start.notify()

    def death_since(self, moment: float) -> str | None:
        """How the server ended after this moment of the monotonic clock, in words; None if it did not.

        Waits up to `DEATH_SECONDS` to learn of it.
        """
        deadline = time.monotonic() + DEATH_SECONDS
        while True:
            found = [how for when, how in self._deaths if when >= moment]
            if found or time.monotonic() > deadline:
                return found[0] if found else None
            time.sleep(POLL_SECONDS)

    def _check_running(self) -> None:
        """Called by multiprocessing, in the thread of a job, before it asks the server for a worker.

        Raises:
            LaunchError: it cannot be started.
        """
        if not self._ready.wait(START_SECONDS):
            raise LaunchError(self._deaths[-1][1] if self._deaths else "the fork server did not start")

    def _started_by(self, start: Callable[[], None]) -> bool:
        """Start it, for the first time or again; returns whether that worked."""
        with self._may_start:
            self._starts += 1
        try:
            start()
        except OSError as error:
            self._deaths.append((time.monotonic(), f"the fork server could not be started: {error}"))
            return False
        return True

    def _keep(self, server: Any, start: Callable[[], None], started: bool) -> None:
        while started:
            pid = server._forkserver_pid
            self._ready.set()
            how = _end_of(pid)
            self._ready.clear()
            self._deaths.append((time.monotonic(), f"the fork server (process {pid}) {how}"))
            with self._may_start:
                self._may_start.wait_for(lambda: self._starts < MOST_STARTS)
            started = self._started_by(start)


@contextlib.contextmanager
def _forked() -> Iterator[None]:
    """Let multiprocessing fork its server from this process instead of starting an interpreter, which imports all anew.

    What it starts is a command line that ends with the server's program (``forkserver.ForkServer.ensure_running``,
    CPython 3.10 to 3.14); the fork runs this program. It is passed one end of some pipes. It closes the other ends,
    which it has inherited: the server ends when all its clients have closed theirs.
    """
    spawn, pipe = util.spawnv_passfds, os.pipe
    pipes: list[tuple[int, int]] = []

    def noted_pipe() -> tuple[int, int]:
        pipes.append(pipe())
        return pipes[-1]

    def fork(_: object, command: Sequence[Any], passed: Sequence[int]) -> int:
        sys.stdout.flush()  # what is buffered would be written by both
        sys.stderr.flush()
        if pid := os.fork():
            return pid
        try:
            util.spawnv_passfds, os.pipe = spawn, pipe
            for read, written in pipes:
                if read in passed:
                    os.close(written)
            importlib.reload(forkserver)  # without this process's server, whose lock is held now
            exec(command[-1], {"__name__": "accumcheck's fork server"})
        except SystemExit:
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)

    util.spawnv_passfds, os.pipe = fork, noted_pipe  # type: ignore[assignment]
    try:
        yield
    finally:
        util.spawnv_passfds, os.pipe = spawn, pipe


def _end_of(pid: int) -> str:
    """Wait for the end of a child without reaping it; returns how it ended, in words.

    If the system cannot wait without reaping (macOS before Python 3.13), its end is never known.
    """
    if not hasattr(os, "waitid"):
        threading.Event().wait()
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:  # reaped already
        found = None
    if found is None:
        return "ended"
    return ending(found.si_status if found.si_code == os.CLD_EXITED else -found.si_status)
