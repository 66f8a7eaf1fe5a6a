"""A small model under DeepSpeed's ZeRO, in each of several processes: ``torchrun zero_program.py FOLDER``.

What is read of its gradient is written to FOLDER/KIND-RANK.pt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

os.environ["DS_ACCELERATOR"] = "cpu"
import deepspeed  # it is not everywhere where tests are run

from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.shards import parameters_of
from accumcheck.capture.shards.zero import around_steps, check_engine, check_norm, engine_of, loss_scale_of
from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.same_weights import sums_of
from tests.capture.sharded_program import ROWS, SOME, Small

KINDS = (
    "zero-1", "zero-2", "zero-3", "zero-2-left", "zero-3-late", "zero-1-bfloat16", "zero-2-bfloat16", "zero-3-bfloat16",
    "zero-1-offload", "zero-2-offload", "zero-3-offload", "zero-2-offload-bfloat16", "zero-3-offload-bfloat16",
    "zero-0", "zero-0-bfloat16", "zero-1-bfloat16-wide",
)  # fmt: skip
"""By stage; ``left``: ``grad`` does not contain the mean; ``late``: the reader is made after the engine;
``offload``: the optimizer is in the host's memory; ``wide``: bfloat16 gradients are accumulated in float32."""

WINDOWS = 2
"""Optimizer steps, of two micro-batches of one row in each process."""


def engine_for(
    model: torch.nn.Module,
    stage: int,
    rate: float = 0.0,
    dtype: str = "float32",
    *,
    offload: bool = False,
    accumulate: int = 2,
    wide: bool = False,
) -> deepspeed.DeepSpeedEngine:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    settings = {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": accumulate,
        "gradient_clipping": 1e-3,  # comes after what is read
        "zero_optimization": {"stage": stage, "offload_optimizer": {"device": "cpu" if offload else "none"}},
        "zero_force_ds_cpu_optimizer": False,  # DeepSpeed's own has to be compiled
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": dtype == "bfloat16"},
        **({"data_types": {"grad_accum_dtype": "fp32"}} if wide else {}),
    }
    made, *_ = deepspeed.initialize(model=model, optimizer=torch.optim.SGD(trained, lr=rate), config=settings)
    return made


def read(kind: str) -> dict[str, object]:
    """What is seen of two steps on the same rows: this process is fed two rows for each, one after the other."""
    dtype = "bfloat16" if "bfloat16" in kind else "float32"
    model = Small().to(getattr(torch, dtype))
    early = {limit: GradientReader.of(model, seed=3, limit=limit) for limit in (1000, SOME)}
    stage = int(kind.split("-")[1])
    engine = engine_for(model, stage, dtype=dtype, offload="offload" in kind, wide="wide" in kind)
    assert engine_of(model) is engine
    check_engine(engine)
    readers = {limit: GradientReader.of(model, seed=3, limit=limit) for limit in early} if "late" in kind else early
    steps: list[tuple[object, float]] = []
    few: list[object] = []

    def before() -> None:
        if "left" in kind:
            for parameter in model.parameters():
                parameter.grad = torch.ones_like(parameter)
        steps.append(readers[1000].read(model))
        few.append(readers[SOME].read(model)[0])
        for parameter in model.parameters() if stage else ():  # without ZeRO the engine applies .grad itself
            parameter.grad = None

    around_steps(Patches({Seam.ENGINE_STEP}), engine, before, lambda: check_norm(engine, steps[-1][1]))
    for _ in range(WINDOWS):
        for row in ROWS.chunk(dist.get_world_size())[dist.get_rank()].split(1):
            engine.backward(engine(row))  # divided by 2 there
            engine.step()
    try:
        check_norm(engine, steps[-1][1] * 2)
        twice = ""
    except WorkloadError as error:
        twice = str(error)
    return {
        "steps": steps,
        "few": few,
        "twice": twice,
        "scale": loss_scale_of(engine),
        "names": readers[1000].coordinates.names,
        "values": {parameter.name: parameter.value() for parameter in parameters_of(model)},
        "sums": sums_of(model),
        "whole": sums_of(Small().to(getattr(torch, dtype))),
    }


def four_micro_batches() -> list[object]:
    """The gradients read in two steps of an offloaded optimizer; every process trains on all four rows, one by one."""
    model = Small()
    reader = GradientReader.of(model, seed=3, limit=1000)
    engine = engine_for(model, 2, offload=True, accumulate=len(ROWS))
    steps: list[object] = []
    norms: list[float] = []

    def before() -> None:
        entries, norm = reader.read(model)
        steps.append(entries)
        norms.append(norm)

    around_steps(Patches({Seam.ENGINE_STEP}), engine, before, lambda: check_norm(engine, norms[-1]))
    for _ in range(WINDOWS):
        for row in ROWS.split(1):
            engine.backward(engine(row))
            engine.step()
    return steps


def moved() -> list[list[str]]:
    """The parameters that an optimizer moves whose learning rate is not 0."""
    names = []
    for stage in (0, 1, 2, 3):
        model = Small()
        engine = engine_for(model, stage, rate=0.1)
        begun = sums_of(model)
        for row in ROWS[:2].split(1):
            engine.backward(engine(row))
            engine.step()
        names.append(sorted(name for name, total in sums_of(model).items() if total != begun[name]))
    return names


if __name__ == "__main__":
    if "--no-kernels" in sys.argv:  # DeepSpeed compiles one for its collectives on a CPU, which takes minutes
        comm: Any = sys.modules["deepspeed.comm.torch"]
        comm.build_shm_op = lambda: None
    # if there is memory, 0.18.9 flattens weights in place; under torch 2.13 it cannot change the views that it gets
    accelerator: Any = deepspeed.get_accelerator()
    accelerator.available_memory = lambda *_: 0
    deepspeed.init_distributed("gloo")
    for kind in KINDS:
        torch.save(read(kind), Path(sys.argv[1]) / f"{kind}-{dist.get_rank()}.pt")
    torch.save(four_micro_batches(), Path(sys.argv[1]) / f"four-{dist.get_rank()}.pt")
    torch.save(moved(), Path(sys.argv[1]) / f"moved-{dist.get_rank()}.pt")
    dist.barrier()
    dist.destroy_process_group()
