"""Runs a program of this folder in two real processes under torchrun, and reads what each has left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch


def in_two_processes(program: str, folder: Path, kinds: Sequence[str], *words: str) -> dict[str, list[Any]]:
    """By kind, what each of the two processes wrote to ``folder/KIND-RANK.pt``; ``words`` follow the folder."""
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(Path(__file__).with_name(program)), str(folder), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, places))},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {
        kind: [torch.load(folder / f"{kind}-{process}.pt", weights_only=False) for process in range(2)]
        for kind in kinds
    }
