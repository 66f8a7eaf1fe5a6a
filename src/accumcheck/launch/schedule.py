"""Which jobs run now: bookkeeping of slots, each a GPU or a CPU core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Slots:
    """The devices of one machine. A job that needs more devices than there are runs alone, on all of them."""

    total: int
    taken: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def free(self) -> tuple[int, ...]:
        """The free slots, in order."""
        held = {slot for slots in self.taken.values() for slot in slots}
        return tuple(slot for slot in range(self.total) if slot not in held)

    def take(self, job: str, wanted: int) -> tuple[int, ...] | None:
        """Slots for this job, or None while there are too few; ``wanted`` beyond the total asks for all."""
        wanted = min(wanted, self.total)
        free = self.free
        if len(free) < wanted:
            return None
        self.taken[job] = free[:wanted]
        return self.taken[job]

    def release(self, job: str) -> None:
        """Give the job's slots back."""
        del self.taken[job]


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
