"""train.py under Trainer's own FSDP on a CPU: accelerate shards on accelerators alone, and is told that this is one."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType

sys.path.insert(0, str(Path(__file__).parent))
from train import main

construct = PartialState.__init__


def as_if_accelerated(state, *args, **kwargs):
    construct(state, *args, **kwargs)
    if state.distributed_type == DistributedType.MULTI_CPU:
        state.distributed_type = DistributedType.MULTI_GPU
        state.device = torch.device("cpu")  # without a number, as FSDP1 finds its parameters


PartialState.__init__ = as_if_accelerated

if __name__ == "__main__":
    main()
