"""The process groups of a program, which may leave them but not free them."""

from __future__ import annotations

import torch.distributed as dist

KEPT: list[dist.ProcessGroup] = []
"""Process groups of this process, until it ends."""


def keep_groups() -> None:
    """Keep every process group there is, whatever the program does with it.

    A program that leaves its group frees it with the last DDP that has it. Gloo's destructor then waits, with Python's
    lock held, for a thread that needs this lock to free the last reduction: now and then both wait for ever.
    """
    if dist.is_initialized():
        KEPT.extend(dist.distributed_c10d._world.pg_map)
