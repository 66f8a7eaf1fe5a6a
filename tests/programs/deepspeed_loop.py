"""A training loop that calls ``deepspeed.initialize``, on a CPU. All predicted tokens have the same weight.

``--fault``: ``divides-again``: the loss is divided by the accumulation steps, and then again by the engine; ``means``:
the micro-batches' means are averaged; ``schedule``: the schedule is stepped at every micro-batch.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

os.environ["DS_ACCELERATOR"] = "cpu"

sys.path.insert(0, str(Path(__file__).parent))
from train import collate, make_model, rows

from accumcheck import report_loss

deepspeed: Any = importlib.import_module("deepspeed")
comm: Any = importlib.import_module("deepspeed.comm.torch")
comm.build_shm_op = lambda: None  # a kernel that takes minutes to compile
# if there is memory, 0.18.9 flattens weights in place; under torch 2.13 it cannot change the views that it gets
deepspeed.get_accelerator().available_memory = lambda *_: 0


def linear(optimizer: torch.optim.Optimizer) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / 20))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--accumulate", type=int, required=True)
    parser.add_argument("--stage", type=int, default=2)
    parser.add_argument("--offload", action="store_true")
    parser.add_argument("--bf16", action="store_true", help="let the engine cast the model")
    parser.add_argument("--add-in", choices=["bf16", "fp32"], help="the dtype in which gradients are accumulated")
    parser.add_argument("--fault", choices=["divides-again", "means", "schedule"])
    options = parser.parse_args()
    settings: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": options.batch,
        "gradient_accumulation_steps": options.accumulate,
        "gradient_clipping": 1.0,
        "optimizer": {"type": "AdamW", "params": {"lr": 1e-2, "torch_adam": True}},
        "zero_optimization": {
            "stage": options.stage,
            "offload_optimizer": {"device": "cpu" if options.offload else "none"},
        },
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": options.bf16},
        **({"data_types": {"grad_accum_dtype": options.add_in}} if options.add_in else {}),
    }
    deepspeed.init_distributed("gloo")
    model = make_model()
    own = options.fault == "schedule"
    engine, *_ = deepspeed.initialize(
        model=model,
        model_parameters=model.parameters(),
        lr_scheduler=None if own else linear,  # which the engine steps
        config=settings,
    )
    schedule = linear(engine.basic_optimizer) if own else None
    processes, k = dist.get_world_size(), options.accumulate
    data: Any = rows()
    sampler: Any = torch.utils.data.DistributedSampler(data, shuffle=False)
    batches = list(torch.utils.data.DataLoader(data, batch_size=options.batch, sampler=sampler, collate_fn=collate))
    for start in range(0, len(batches), k):
        window = batches[start : start + k]
        counts = [(batch["labels"][:, 1:] != -100).sum() for batch in window]
        total = torch.stack(counts).sum()
        dist.all_reduce(total)
        shown = torch.tensor(0.0)
        for batch, count in zip(window, counts, strict=True):
            loss = engine(**batch).loss.float()
            if options.fault != "means":  # the engine divides by the accumulation steps, and averages over processes
                loss = loss * count / total * processes * k
            shown += loss.detach() / processes / k
            engine.backward(loss / k if options.fault == "divides-again" else loss)
            engine.step()
            if schedule is not None:
                schedule.step()
        dist.all_reduce(shown)
        report_loss(shown)


if __name__ == "__main__":
    main()
