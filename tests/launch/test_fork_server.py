"""The fork server: exit codes come whole, whoever reads them, and its own end is known."""

from __future__ import annotations

import contextlib
import multiprocessing.connection
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import popen_forkserver
from pathlib import Path
from typing import Any

import pytest

from accumcheck.launch.fork_server import WorkerHandle


def ended_worker(kind: type[popen_forkserver.Popen], code: int) -> Any:
    """A handle of a worker that has just ended with this code, as the fork server tells it: 8 bytes, then no more."""
    handle: Any = kind.__new__(kind)
    handle._reading = threading.Lock()
    handle.returncode, handle.finalizer, handle.pid = None, None, -1
    handle.sentinel, written = os.pipe()
    os.write(written, code.to_bytes(8, sys.byteorder, signed=True))
    os.close(written)
    return handle


def read_by_two(handle: Any, monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """What two threads read that both have found the worker ended before either reads its code."""
    both, plain = threading.Barrier(2), multiprocessing.connection.wait

    def wait(objects: Sequence[Any], timeout: float | None = None) -> list[Any]:
        ready = plain(objects, timeout)
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return ready

    monkeypatch.setattr(multiprocessing.connection, "wait", wait)
    found: list[int | None] = []
    threads = [threading.Thread(target=lambda: found.append(handle.poll())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(handle.sentinel)
    return found


def test_two_threads_that_read_one_exit_code_both_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_by_two(ended_worker(WorkerHandle, 0), monkeypatch) == [0, 0]


def test_multiprocessing_alone_takes_such_a_worker_for_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the handle is for; where this fails, Python has cured it."""
    assert 255 in read_by_two(ended_worker(popen_forkserver.Popen, 0), monkeypatch)


@pytest.mark.parametrize("code", [0, 3, -9])
def test_a_worker_that_is_waited_for_gives_its_code(code: int) -> None:
    handle = ended_worker(WorkerHandle, code)
    assert handle.poll(0) == code
    assert handle.poll() == code
    os.close(handle.sentinel)


SERVED = """
import multiprocessing, os, signal, time
from multiprocessing import forkserver
from accumcheck.launch.fork_server import ForkServer

if __name__ == "__main__":
    server = ForkServer()
    server.start([])
    context = multiprocessing.get_context("forkserver")
    started = time.monotonic()
    worker = context.Process(target=time.sleep, args=(60,))
    worker.start()
    pid = forkserver._forkserver._forkserver_pid
    os.kill(pid, signal.SIGKILL)
    worker.join()
    how = server.death_since(started)
    os.kill(worker.pid, signal.SIGKILL)
    print(worker.exitcode, how == f"the fork server (process {pid}) was killed by SIGKILL; "
                                  "the system may have run out of memory")
    later = time.monotonic()
    second = context.Process(target=int)
    second.start()
    second.join()
    print(second.exitcode, server.death_since(later))
"""


def test_a_killed_server_is_known_and_the_next_worker_has_a_new_one() -> None:
    done = subprocess.run([sys.executable, "-c", SERVED], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == ["255 True", "0 None"], done.stderr


FORKED = """
import multiprocessing, os, sys, types
from accumcheck.launch.fork_server import ForkServer

if __name__ == "__main__":
    sys.modules["imported_once"] = types.ModuleType("imported_once")
    print("not yet written")  # but buffered: standard output is a pipe
    platform, sys.platform = sys.platform, sys.argv[1]
    server = ForkServer()
    server.start(sys.argv[2:])
    sys.platform = platform
    worker = multiprocessing.get_context("forkserver").Process(target=exec, args=(%r,))
    worker.start()
    worker.join()
    print(worker.exitcode, multiprocessing.forkserver._forkserver._forkserver_pid, flush=True)
"""

OWN_SERVER = """
import multiprocessing, sys
own = multiprocessing.get_context("forkserver").Process(target=exec, args=("raise SystemExit(5)",))
own.start()
own.join()
sys.exit(own.exitcode)
"""


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the server is not forked")


def forked(worker: str, *preload: str, platform: str = sys.platform) -> tuple[int, int]:
    """The exit code of a worker that runs this program, and the process id of the server that forked it."""
    command = [sys.executable, "-c", FORKED.replace("%r", repr(worker)), platform, *preload]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)
    assert done.stdout, done.stderr
    first, last = done.stdout.splitlines()  # what was buffered before the fork is written once
    assert first == "not yet written"
    code, server = last.split()
    return int(code), int(server)


@on_linux
@pytest.mark.parametrize(("module", "code"), [("imported_once", 0), ("imported_never", 1)])
def test_the_first_server_has_what_its_process_had_imported(module: str, code: int) -> None:
    assert forked(f"import sys; sys.exit({module!r} not in sys.modules)")[0] == code


def test_where_a_fork_is_not_safe_the_server_is_an_interpreter_of_its_own() -> None:
    assert forked("import sys; sys.exit('imported_once' in sys.modules)", platform="darwin")[0] == 0


def test_a_worker_may_start_a_fork_server_of_its_own() -> None:
    assert forked(OWN_SERVER)[0] == 5


def _lives(pid: int) -> bool:
    """Whether the process runs; one that has ended stays in the list until its parent has asked how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@on_linux
def test_the_server_ends_with_the_process_that_started_it() -> None:
    _, server = forked("pass")
    deadline = time.monotonic() + 30
    while _lives(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(server)


def test_a_module_that_cannot_be_imported_does_not_end_the_server() -> None:
    assert forked("pass", "there_is_no_such_module")[0] == 0
