"""Runs one job to its end: its agent, its monitoring, and one line about why it failed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from accumcheck.config.model import LauncherConfig
from accumcheck.launch.agent import Agent, endpoint_of, is_taken
from accumcheck.launch.explain import End, explain
from accumcheck.launch.fork_server import ForkServer, WorkerHandle
from accumcheck.launch.presence import Presence, presence
from accumcheck.launch.vigil import Vigil, Workers
from accumcheck.record import Reason
from accumcheck.runfolder.failures import has_errors, read_errors
from accumcheck.runfolder.job import Failure, Job
from accumcheck.runfolder.space import full_device

POLL_SECONDS = 0.2
AGENT_GRACE_SECONDS = 8.0
"""How long an agent may take to return after its workers were killed, before the run goes on without it."""


def run_job(
    job: Job,
    launcher: LauncherConfig,
    port_offset: int,
    workers: Callable[[], Workers],
    server: ForkServer,
    given_up: Callable[[], Failure | None] = lambda: None,
) -> Failure | None:
    """Run the job to its end and return why it failed, or None.

    A job whose processes have all written all their results has succeeded, however these processes end.

    Args:
        job: the job; its folder exists and is empty.
        launcher: time limit and, for several machines, the rendezvous.
        port_offset: see `endpoint_of`.
        workers: what the job's processes on this machine have reported so far.
        server: forks them.
        given_up: why the run was given up for all jobs, if it was.
    """
    endpoint = endpoint_of(job, launcher, port_offset)
    if launcher.node_rank == 0 and not endpoint.endswith(":0") and is_taken(endpoint):
        # reported here, since an agent that cannot serve the port would wait there as a client
        text = f"the rendezvous port {endpoint} is already taken; give launcher.rdzv_endpoint another port"
        return Failure(Reason("refused", text))
    with presence(job, launcher, endpoint) as others:
        failure = _lead(job, launcher, endpoint, workers, server, given_up, others)
        if job.nodes == 1 or failure is None or failure.spread or given_up() is not None:
            return failure
        if (missing := others.missing()) is None:  # else a lost connection is all that was noticed here
            return failure
        text = f"{missing}; here: {failure.reason.text}"
        return Failure(Reason(failure.reason.kind, text, failure.reason.traceback), spread=True)


def _lead(
    job: Job,
    launcher: LauncherConfig,
    endpoint: str,
    workers: Callable[[], Workers],
    server: ForkServer,
    given_up: Callable[[], Failure | None],
    others: Presence,
) -> Failure | None:
    """Run the agent, and end it when it is due; see `run_job`."""
    started = time.monotonic()
    agent = Agent(job, launcher, endpoint)
    vigil = Vigil(job.local_processes, started + launcher.timeout)
    killed: float | None = None
    lost: str | None = None
    killed_ranks: set[int] = set()
    agent.start()
    while agent.is_alive():
        agent.join(POLL_SECONDS)
        now = time.monotonic()
        lost = lost or others.lost()
        if given_up() is not None or lost or vigil.is_over(now, workers(), failed=has_errors(job.folder)):
            killed = now if killed is None else killed
            killed_ranks |= _kill(workers())
        if killed is not None and now - killed > AGENT_GRACE_SECONDS:
            break  # it waits for a process that never comes
    vigil.is_over(time.monotonic(), workers(), failed=False)  # with the last reports
    if vigil.said_all is not None:
        return None
    if (failure := given_up()) is not None:
        return failure
    if lost is not None:
        return Failure(Reason("crashed", lost), spread=True)
    if vigil.expired:
        return timed_out(launcher.timeout)
    if killed is None and not agent.exits and agent.error is None:
        return None
    found = workers()
    codes = {rank: WorkerHandle.codes.get(pid, 0) for rank, pid in found.pids.items()}
    end = End(
        exits=agent.exits | {rank: code for rank, code in codes.items() if code},
        error=agent.error,
        seconds=time.monotonic() - started,
        endpoint=endpoint,
        killed=frozenset(killed_ranks),
        errors=read_errors(job.folder),
        left=frozenset(rank for rank, pid in found.silent.items() if WorkerHandle.codes.get(pid) == 0),
        server_death=server.death_since(started) if _may_be_the_servers(agent) else None,
        full=full_device(job.folder),
    )
    return explain(job, end)


def timed_out(limit: float) -> Failure:
    """The failure of a job that exceeded its time limit, in seconds."""
    return Failure(Reason("hung", f"timed out: not finished after {limit:g} s (launcher.timeout)"))


def _may_be_the_servers(agent: Agent) -> bool:
    """Whether the fork server may have died: then it cannot report how its workers ended, or start new ones."""
    lost = 255  # the exit code that multiprocessing reports if the server's pipe is at its end
    return lost in agent.exits.values() or agent.error is not None or agent.is_alive()


def _kill(workers: Workers) -> set[int]:
    """Kill the workers that are alive; returns their ranks."""
    killed = set()
    for rank, pid in workers.pids.items():
        if pid in WorkerHandle.codes:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed.add(rank)
    return killed
