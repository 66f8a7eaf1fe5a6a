"""When the workers of a job must be killed: what outlives its time, its peers, or its own last word."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from accumcheck.runfolder.events import WorkerDone, WorkerStarted

GRACE_SECONDS = 3.0
"""How long the other processes of a failed job may take to end by themselves before they are killed."""
FAREWELL_SECONDS = 10.0
"""How long processes may take to end that have written all they had to say: on a busy machine seconds."""


@dataclass(frozen=True, slots=True)
class Workers:
    """What is known of a job's processes on this machine: their ids by rank, and who has said all."""

    pids: Mapping[int, int] = field(default_factory=dict)
    done: frozenset[int] = frozenset()

    def after(self, event: WorkerStarted | WorkerDone) -> Workers:
        """What is known once one of them has said this."""
        if isinstance(event, WorkerStarted):
            return replace(self, pids={**self.pids, event.process: event.pid})
        return replace(self, done=self.done | {event.process})


@dataclass
class Vigil:
    """Watches one job.

    The agent would end the others of a dead worker with SIGTERM and wait half a minute for it: a rank that hangs must
    not cost that, and one that only fails to end must not cost the job.

    ``processes``: how many the job has on this machine; ``deadline``: of the monotonic clock, as all times here.
    """

    processes: int
    deadline: float
    expired: bool = False
    said_all: float | None = None
    troubled: float | None = None

    def is_over(self, now: float, workers: Workers, *, failed: bool) -> bool:
        """Whether the workers that are left are to be killed now.

        Args:
            now: the time.
            workers: what is known of them.
            failed: a worker has left the cause of its death.
        """
        if len(workers.done) == self.processes:
            self.said_all = now if self.said_all is None else self.said_all
            return now - self.said_all > FAREWELL_SECONDS
        self.expired = self.expired or now > self.deadline
        if failed or (len(workers.pids) > 1 and not all(map(is_alive, workers.pids.values()))):
            self.troubled = now if self.troubled is None else self.troubled
        return self.expired or (self.troubled is not None and now - self.troubled > GRACE_SECONDS)


def is_alive(pid: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
