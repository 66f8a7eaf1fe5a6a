"""The workload of a check, made once by the process that forks its workers, where that cannot make a difference."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from accumcheck.config.model import CheckConfig
from accumcheck.runfolder.layout import begin_workload
from accumcheck.stacks.protocol import LoopSpec
from accumcheck.stacks.registry import find_stack

if TYPE_CHECKING:
    from accumcheck.runfolder.job import Job
    from accumcheck.workload.assemble import Workload

DEVICE = "cpu"
"""A GPU must not be touched before the fork."""


@dataclass(frozen=True)
class Prepared:
    """A workload, what it was made for, and the states of the random generators when it had been made."""

    check: CheckConfig
    workload: Workload
    python: Any
    numpy: Any
    torch: torch.Tensor


_prepared: list[Prepared] = []


def compute_alike() -> None:
    """Set how torch computes in this process: what a worker does before it makes its workload."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def may_be_prepared(check: CheckConfig) -> bool:
    """Whether a worker's own workload would be the same, and small.

    Models of a given size are made by each worker: the weights would be in memory twice as soon as a step changes
    them. Code and data from elsewhere are left to the workers as well. So is everything on macOS, whose own libraries
    compute there, and may start threads.
    """
    return (
        sys.platform == "linux"
        and isinstance(find_stack(check.stack), LoopSpec)
        and _is_on_cpu(check)
        and int(os.environ.get("OMP_NUM_THREADS", "1")) == 1  # threads of a pool do not survive a fork
        and check.makes_model_and_data
        and check.model.shrink
    )


def _is_on_cpu(check: CheckConfig) -> bool:
    wanted = check.launcher.device
    return wanted == DEVICE or (wanted == "auto" and torch.cuda.device_count() == 0)  # as launch.devices counts


def prepare(check: CheckConfig, run: Path) -> None:
    """Make the workload of this check, which workers that are forked later find with `prepared`.

    Args:
        check: the resolved configuration.
        run: the run's folder. If an earlier fork server began to make the workload, nothing is made: it may have died
            of it. Workers then make their own, and each failure is one of a worker.

    Raises:
        Exception: whatever is wrong with the model or the data. A worker meets and reports it again.
    """
    from accumcheck.workload.assemble import build_workload

    _prepared.clear()
    if not may_be_prepared(check) or not begin_workload(run):
        return
    compute_alike()
    workload = build_workload(check, DEVICE)
    _ = workload.index  # made here, once for all workers
    _prepared.append(Prepared(check, workload, random.getstate(), np.random.get_state(), torch.get_rng_state()))


def prepared(job: Job) -> Workload | None:
    """The workload of this job's check, if it was made before the fork; the generators are then as after making it.

    Python's own generator is seeded anew by every fork, so its state is put back as well.
    """
    for one in _prepared:
        if one.check == job.check and job.device == DEVICE:
            random.setstate(one.python)
            np.random.set_state(one.numpy)
            torch.set_rng_state(one.torch)
            return one.workload
    return None
