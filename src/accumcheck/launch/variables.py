"""The environment variables of a run's processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from accumcheck.runfolder.layout import RUN_FOLDER, UNUSED


def set_environment(run: Path, unused: Sequence[str] = ()) -> None:
    """Set the variables that all processes of a run share.

    Args:
        run: the folder of its first plan.
        unused: packages that its workers do without, see `accumcheck.stacks.registry.unused_packages`.
    """
    set_variables()
    os.environ[RUN_FOLDER] = str(run)
    os.environ[UNUSED] = " ".join(unused)


def set_variables() -> None:
    """Set those that all runs share. They must be set before torch is imported."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does
    os.environ.update(
        CUBLAS_WORKSPACE_CONFIG=os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
        PYTORCH_NVML_BASED_CUDA_CHECK="1",  # counting GPUs must not start CUDA before the fork
        TOKENIZERS_PARALLELISM="false",
        TORCH_CPP_LOG_LEVEL=os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
    )
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)  # perhaps from a launcher that started us: torchrun sets its own
