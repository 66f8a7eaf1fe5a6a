"""Keep the process groups of a program alive until the process ends."""

from __future__ import annotations

import torch.distributed as dist

KEPT: list[dist.ProcessGroup] = []
"""The process groups of this process; never emptied."""


def keep_groups() -> None:
    """Keep a reference to every process group, whatever the program does with it.

    If a program destroys its group, the group is freed with the last DDP module that uses it. Gloo's destructor then
    holds Python's lock and waits for a thread that needs this lock to free the last reduction. This can deadlock.
    """
    if dist.is_initialized():
        KEPT.extend(dist.distributed_c10d._world.pg_map)
