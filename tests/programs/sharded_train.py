"""train.py under Trainer's own FSDP on a CPU: accelerate shards on accelerators alone, and is told that this is one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

sys.path.insert(0, str(Path(__file__).parent))
from train import main

construct = AcceleratorState.__init__


def as_if_accelerated(state: Any, *args: Any, **kwargs: Any) -> None:
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":  # the reference does not ask
        PartialState()  # the one of this process
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        PartialState._shared_state["device"] = torch.device("cpu")  # without a number, as FSDP1 finds its parameters
    construct(state, *args, **kwargs)


AcceleratorState.__init__ = as_if_accelerated

if __name__ == "__main__":
    main()
