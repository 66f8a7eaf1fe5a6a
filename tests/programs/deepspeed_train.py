"""train.py under Trainer's DeepSpeed on a CPU, where accelerate leaves it out: it is told that this is an accelerator.

``FAULT=undivided`` in the environment: the sum over the micro-batches is never divided by their number.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

sys.path.insert(0, str(Path(__file__).parent))
from train import main

os.environ["DS_ACCELERATOR"] = "cpu"
comm: Any = importlib.import_module("deepspeed.comm.torch")
comm.build_shm_op = lambda: None  # a kernel that takes minutes to compile
# if there is memory, 0.18.9 flattens weights in place; under torch 2.13 it cannot change the views that it gets
accelerator: Any = importlib.import_module("deepspeed").get_accelerator()
accelerator.available_memory = lambda *_: 0
construct = AcceleratorState.__init__


def as_if_accelerated(state: Any, *args: Any, **kwargs: Any) -> None:
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":  # the reference does not ask
        PartialState()  # the one of this process
        PartialState._shared_state["distributed_type"] = DistributedType.DEEPSPEED
        PartialState._shared_state["device"] = torch.device("cpu")
        os.environ["ACCELERATE_USE_CPU"] = "false"
    construct(state, *args, **kwargs)


AcceleratorState.__init__ = as_if_accelerated

if os.environ.get("FAULT") == "undivided":
    step = transformers.Trainer.compute_loss

    def undivided(trainer: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return step(trainer, model, inputs, *args, **kwargs) * trainer.args.gradient_accumulation_steps

    transformers.Trainer.compute_loss = undivided

if __name__ == "__main__":
    main()
