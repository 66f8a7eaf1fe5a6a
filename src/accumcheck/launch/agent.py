"""One job through torchrun's own elastic agent: fresh processes, forked from a server that has done the imports."""

from __future__ import annotations

import errno
import functools
import socket
import threading
import uuid
from typing import Any

from accumcheck.config.model import LauncherConfig
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import logs_of
from accumcheck.work.worker import run


class Agent(threading.Thread):
    """Runs the agent of one job and keeps how it ended.

    ``exits``: the exit codes of failed workers by rank, empty if none failed; ``error``: an exception in the agent
    itself.
    """

    def __init__(self, job: Job, launcher: LauncherConfig, endpoint: str) -> None:
        super().__init__(daemon=True, name=f"agent of {job.name}")
        self._job, self._launcher = job, launcher
        self.endpoint = endpoint
        self.exits: dict[int, int] = {}
        self.error: Exception | None = None

    def run(self) -> None:
        """Start the workers and wait for them; called by `start`."""
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.launcher.api import elastic_launch

        try:
            _join_at_once()
            elastic_launch(self._config(), run)(self._job)
        except ChildFailedError as failure:
            self.exits = {rank: child.exitcode for rank, child in failure.failures.items()}
        except Exception as error:
            self.error = error

    def _config(self) -> Any:
        from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
        from torch.distributed.launcher.api import LaunchConfig

        job, launcher, spread = self._job, self._launcher, self._job.nodes > 1
        return LaunchConfig(
            min_nodes=job.nodes,
            max_nodes=job.nodes,
            nproc_per_node=job.local_processes,
            run_id=f"accumcheck-{job.name}" if spread else uuid.uuid4().hex,
            rdzv_backend="static" if spread else "c10d",
            rdzv_endpoint=self.endpoint,
            rdzv_configs={"rank": launcher.node_rank, "timeout": launcher.timeout} if spread else {},
            max_restarts=0,
            monitor_interval=0.02,
            start_method="forkserver",
            local_addr=None if spread else "127.0.0.1",
            logs_specs=DefaultLogsSpecs(log_dir=str(logs_of(job.run, job.name)), redirects=Std.ALL),
        )


def _join_at_once() -> None:
    """Do not let agents wait up to 0.3 s before they join a rendezvous.

    torch waits to spread the load of many machines (``_delay`` in ``DynamicRendezvousHandler.next_rendezvous``); where
    this rendezvous is used, there is one.
    """
    from torch.distributed.elastic.rendezvous import dynamic_rendezvous

    module: Any = dynamic_rendezvous
    delay = getattr(module, "_delay", None)
    if delay is not None and not hasattr(delay, "__wrapped__"):

        @functools.wraps(delay)
        def delay_unless_random(seconds: Any) -> None:
            if not isinstance(seconds, tuple):
                delay(seconds)

        module._delay = delay_unless_random


def endpoint_of(job: Job, launcher: LauncherConfig, offset: int) -> str:
    """The rendezvous of a job's processes: any free port of this machine, unless an endpoint is configured.

    ``offset`` is added to the port, so that a job never meets the store of the one before.
    """
    if launcher.rdzv_endpoint is None or not (job.nodes > 1 or launcher.nnodes == 1):
        return "127.0.0.1:0"
    host, _, port = launcher.rdzv_endpoint.rpartition(":")
    return f"{host}:{int(port) + offset}"


def is_taken(endpoint: str) -> bool:
    """Whether a process listens on this port of this machine; an address of another machine counts as free."""
    host, _, port = endpoint.rpartition(":")
    with socket.socket() as probe:
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
