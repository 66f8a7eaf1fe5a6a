"""Which jobs run now: bookkeeping of slots, each a GPU or a CPU core."""

from __future__ import annotations

from collections.abc import Sequence

from accumcheck.config.model import CheckConfig

SPARE = 2
"""Slots beyond the cores, for small jobs: a split of two processes may start while another one ends."""
Taken = tuple[str, tuple[int, ...]]
"""A job and the slots that it has."""


class Slots:
    """The devices of one machine. A job that needs more devices than there are runs alone, on all of them.

    With ``alone`` every job does: several machines must start the same jobs in the same order.
    """

    def __init__(self, total: int, *, alone: bool = False) -> None:
        self._total, self._alone = total, alone
        self._free = list(range(total))
        self._taken: dict[str, tuple[int, ...]] = {}

    @property
    def free(self) -> tuple[int, ...]:
        """The free slots, in order."""
        return tuple(self._free)

    def take(self, job: str, wanted: int) -> tuple[int, ...] | None:
        """Slots for this job, or None while there are too few; ``wanted`` beyond the total asks for all."""
        wanted = min(wanted, self._total)
        if len(self._free) < wanted or (self._alone and self._taken):
            return None
        self._taken[job] = tuple(self._free[:wanted])
        del self._free[:wanted]
        return self._taken[job]

    def release(self, job: str) -> None:
        """Give the job's slots back, if it has any."""
        self._free = sorted([*self._free, *self._taken.pop(job, ())])


def is_small(check: CheckConfig, kind: str) -> bool:
    """Whether the memory of one job more does not matter: on a CPU, with a model that accumcheck has shrunk."""
    return kind == "cpu" and check.model.shrink and not check.runs_program


def slots_of(check: CheckConfig, kind: str, count: int) -> Slots:
    """The slots of one machine for the jobs of a check.

    The processes of a job leave their cores idle while they start and end. Small jobs get `SPARE` slots more than there
    are cores, and use that time; large ones would need the memory as well.

    Args:
        check: the configuration.
        kind: of the devices: ``cuda`` or ``cpu``.
        count: how many of them the machine has.
    """
    return Slots(max(count, 1) + SPARE * is_small(check, kind), alone=check.launcher.nnodes > 1)


def take_fitting(waiting: list[tuple[str, int]], slots: Slots) -> list[Taken]:
    """Take slots for the jobs that fit now, in order, and take these out of ``waiting``.

    Args:
        waiting: each job with the number of slots that it wants.
        slots: are taken.
    """
    found: list[Taken] = []
    for job, wanted in list(waiting):
        taken = slots.take(job, wanted)
        if taken is not None:
            waiting.remove((job, wanted))
            found.append((job, taken))
        elif wanted > 1:
            break  # do not let small splits starve a large one
    return found


def running_order(splits: Sequence[tuple[str, int, int]], control: str) -> list[str]:
    """The order in which splits are started: the control first, since the reference needs its samples.

    Then those with the fewest processes, which share the devices with each other and the reference. A wide split
    between them would leave devices idle until the reference has ended. Among equals, the longest first.

    Args:
        splits: name, number of processes and number of forward passes per process and step of each.
        control: the name of the control.
    """
    return [
        name for name, _, _ in sorted(splits, key=lambda split: (split[0] != control, split[1], -split[2], split[0]))
    ]
