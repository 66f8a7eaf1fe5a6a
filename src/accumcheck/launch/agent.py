"""One job through torchrun's own elastic agent: fresh processes, forked from a server that has paid the imports."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable

from accumcheck.config.model import LauncherConfig
from accumcheck.runfolder.failures import has_errors, read_errors
from accumcheck.runfolder.job import Failure, Job
from accumcheck.runfolder.layout import logs_of
from accumcheck.work.worker import run

GRACE_SECONDS = 3.0
"""How long the other processes of a failed job may take to end by themselves before they are killed."""


def run_job(job: Job, launcher: LauncherConfig, port_offset: int, pids: Callable[[], dict[int, int]]) -> Failure | None:
    """Run the job to its end and return why it failed, or None.

    Args:
        job: the job; its folder exists and is empty.
        launcher: time limit and, for several machines, the rendezvous.
        port_offset: added to the port of ``rdzv_endpoint``, so that a job never meets the store of the one before.
        pids: the process ids that the job's workers have reported so far, by rank.
    """
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    spread = job.nodes > 1
    endpoint, rendezvous = "127.0.0.1:0", {}
    if launcher.rdzv_endpoint is not None and (spread or launcher.nnodes == 1):
        host, _, port = launcher.rdzv_endpoint.rpartition(":")
        endpoint = f"{host}:{int(port) + port_offset}"
        if launcher.node_rank == 0 and _taken(host, int(port) + port_offset):
            # told here, since an agent that cannot serve the port would wait at it as a client
            return Failure(f"the rendezvous port {endpoint} is already taken; give launcher.rdzv_endpoint another port")
    if spread:
        rendezvous = {"rank": launcher.node_rank, "timeout": launcher.timeout}
    config = LaunchConfig(
        min_nodes=job.nodes,
        max_nodes=job.nodes,
        nproc_per_node=job.processes // job.nodes,
        run_id=f"accumcheck-{job.name}" if spread else uuid.uuid4().hex,
        rdzv_backend="static" if spread else "c10d",
        rdzv_endpoint=endpoint,
        rdzv_configs=rendezvous,
        max_restarts=0,
        monitor_interval=0.05,
        start_method="forkserver",
        local_addr=None if spread else "127.0.0.1",
        logs_specs=DefaultLogsSpecs(log_dir=str(logs_of(job.run, job.name)), redirects=Std.ALL),
    )
    started = time.monotonic()
    watch = _Watch(job, launcher.timeout, pids)
    watch.start()
    try:
        elastic_launch(config, run)(job)
        return None
    except ChildFailedError as failure:
        exits = {rank: child.exitcode for rank, child in failure.failures.items()}
        return _explain(job, exits, watch, launcher.timeout)
    except Exception as error:
        if watch.expired:
            return timed_out(launcher.timeout)
        text = str(error).strip().splitlines() or [""]
        waited = f"{time.monotonic() - started:.0f} s"
        return Failure(f"torchrun's agent failed at {endpoint} after {waited}: {type(error).__name__}: {text[0]}")
    finally:
        watch.stop()


class _Watch(threading.Thread):
    """Kills the workers of a job that outlives its time limit, or whose other process has failed.

    The agent ends the others with SIGTERM and waits half a minute for it; a rank that hangs must not cost that.
    """

    def __init__(self, job: Job, limit: float, pids: Callable[[], dict[int, int]]) -> None:
        super().__init__(daemon=True)
        self._job = job
        self._limit = limit
        self._pids = pids
        self._done = threading.Event()
        self.expired = False
        self.killed = False

    def run(self) -> None:
        deadline = time.monotonic() + self._limit
        while not self._done.wait(0.2):
            if time.monotonic() > deadline:
                self.expired = True
                self._kill()
            elif has_errors(self._job.folder) or self._someone_died():
                if self._done.wait(GRACE_SECONDS):
                    return
                self._kill()

    def stop(self) -> None:
        """The job has ended."""
        self._done.set()

    def _someone_died(self) -> bool:
        return any(not _alive(pid) for pid in self._pids().values()) and len(self._pids()) > 1

    def _kill(self) -> None:
        self.killed = True
        for pid in self._pids().values():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def timed_out(limit: float) -> Failure:
    """The failure of a job that outlived its time limit, in seconds."""
    return Failure(f"timed out: not finished after {limit:g} s (launcher.timeout)")


def _explain(job: Job, exits: dict[int, int], watch: _Watch, limit: float) -> Failure:
    """Turn what the agent saw into one line: our own worker's word first, then the signal or the exit code.

    Except for a signal that none of us sent: the others' words are then of the connection that they lost by it.
    """
    if watch.expired:
        return timed_out(limit)
    struck = not watch.killed and any(code < 0 and code != -signal.SIGTERM for code in exits.values())
    if not struck and (errors := read_errors(job.folder)):
        return errors[0]
    # those that the agent ended afterwards carry SIGTERM; the first cause is any other
    causes = {rank: code for rank, code in exits.items() if code != -signal.SIGTERM} or exits
    rank, code = next(iter(causes.items()))
    who = f"process {rank} of {job.processes}"
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; the system may have run out of memory" if code == -signal.SIGKILL else ""
        return Failure(f"{who} was killed by {name}{hint}")
    return Failure(f"{who} ended with exit code {code}")


def _taken(host: str, port: int) -> bool:
    """Whether someone listens on this port of this machine; an address that is not this machine's counts as free."""
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
