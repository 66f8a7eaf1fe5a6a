"""When the workers of a job must be killed: after its time limit, a peer's failure, or their last report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from accumcheck.runfolder.events import WorkerDone, WorkerStarted

GRACE_SECONDS = 3.0
"""How long the other processes of a failed job may take to end by themselves before they are killed."""
FAREWELL_SECONDS = 10.0
"""How long processes may take to end after writing all their results: seconds on a busy machine."""


@dataclass(frozen=True, slots=True)
class Workers:
    """A job's processes on this machine: their ids by rank, and which have reported everything."""

    pids: Mapping[int, int] = field(default_factory=dict)
    done: frozenset[int] = frozenset()

    @property
    def silent(self) -> dict[int, int]:
        """The ids of those that have not reported everything, by rank."""
        return {rank: pid for rank, pid in self.pids.items() if rank not in self.done}

    def after(self, event: WorkerStarted | WorkerDone) -> Workers:
        """The state after this event of one of them."""
        if isinstance(event, WorkerStarted):
            return replace(self, pids={**self.pids, event.process: event.pid})
        return replace(self, done=self.done | {event.process})


@dataclass
class Vigil:
    """Watches one job.

    After a worker's death the agent would send the others SIGTERM and wait half a minute: a rank that hangs must
    not cost that time, and one that only fails to exit must not cost the job's result. For a worker that ends with
    exit code 0 before it has returned, the agent waits for ever (``MultiprocessContext._poll``, torch 2.1 to 2.13).

    ``processes``: of the job on this machine; ``deadline``: on the monotonic clock, like all times here.
    """

    processes: int
    deadline: float
    expired: bool = False
    said_all: float | None = None
    troubled: float | None = None

    def is_over(self, now: float, workers: Workers, *, failed: bool) -> bool:
        """Whether the remaining workers must be killed now.

        Args:
            now: the time.
            workers: their state.
            failed: a worker has reported why it failed.
        """
        if len(workers.done) == self.processes:
            self.said_all = now if self.said_all is None else self.said_all
            return now - self.said_all > FAREWELL_SECONDS
        self.expired = self.expired or now > self.deadline
        if failed or not all(map(is_alive, workers.silent.values())):
            self.troubled = now if self.troubled is None else self.troubled
        return self.expired or (self.troubled is not None and now - self.troubled > GRACE_SECONDS)


def is_alive(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
