"""The process groups of a program: kept alive until the process ends, and over gloo where processes share GPUs."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch.distributed as dist

from accumcheck.capture.patches import Patches, Seam

KEPT: list[dist.ProcessGroup] = []
"""The process groups of this process; never emptied."""


def keep_groups() -> None:
    """Keep a reference to every process group, whatever the program does with it.

    If a program destroys its group, the group is freed with the last DDP module that uses it. Gloo's destructor then
    holds Python's lock and waits for a thread that needs this lock to free the last reduction. This can deadlock.
    """
    if dist.is_initialized():
        KEPT.extend(dist.distributed_c10d._world.pg_map)


def use_gloo(patches: Patches) -> None:
    """Let the program make its process group over gloo, whatever backend it asks for: NCCL refuses two on one GPU.

    Args:
        patches: undo this; they must allow `Seam.INIT_GROUP`.
    """
    original = dist.init_process_group

    signature = inspect.signature(original)

    @functools.wraps(original)
    def over_gloo(*args: Any, **kwargs: Any) -> None:
        asked = signature.bind(*args, **kwargs).arguments
        of_nccl = {"device_id", "pg_options"}
        original(**{name: value for name, value in asked.items() if name not in of_nccl} | {"backend": "gloo"})

    patches.substitute({Seam.INIT_GROUP: (original, over_gloo)})
