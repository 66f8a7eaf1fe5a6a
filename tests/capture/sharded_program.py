"""A small model under every kind of sharding, in each of several processes: ``torchrun sharded_program.py FOLDER``.

What is read of its gradient is written to FOLDER/KIND-RANK.pt.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.fsdp import FullyShardedDataParallel, MixedPrecisionPolicy, ShardingStrategy, fully_shard

from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.shards import parameters_of
from accumcheck.capture.shards.asked import check_shards_were_made
from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.same_weights import sums_of

KINDS = (
    "whole", "fully_shard", "checkpointed", "bfloat16", "fsdp", "fsdp-flat", "no_shard", "unreduced", "unreduced-flat",
)  # fmt: skip
ROWS = torch.tensor([[1, 2, 3, 0], [4, 5, 6, 6], [0, 3, 1, 5], [2, 2, 4, 1]])
SOME = 20
"""Entries kept by the second reader, of 45 that are trained."""


class Small(torch.nn.Module):
    """Sizes that no two processes can share evenly, a tied weight, and a frozen layer."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(7, 3)
        self.first = torch.nn.Linear(3, 5).requires_grad_(False)
        self.second = torch.nn.Linear(5, 3)
        self.norm = torch.nn.LayerNorm(3)
        self.out = torch.nn.Linear(3, 7, bias=False)
        self.out.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.second(torch.tanh(self.first(self.embed(ids[:, :-1])))))
        return torch.nn.functional.cross_entropy(self.out(hidden).flatten(0, 1).float(), ids[:, 1:].flatten())


def shard(model: Small, kind: str) -> torch.nn.Module:
    if kind == "whole":
        return model
    if kind in ("fully_shard", "checkpointed", "bfloat16", "unreduced"):
        if kind == "checkpointed":
            model.second = checkpoint_wrapper(model.second)  # type: ignore[assignment]
        half = torch.bfloat16 if kind == "bfloat16" else None
        policy = MixedPrecisionPolicy(param_dtype=half, reduce_dtype=torch.float32 if half else None)
        for part in (model.first, model.second, model):
            fully_shard(part, mp_policy=policy)
        return model
    keywords: dict[str, Any] = {
        "device_id": torch.device("cpu"),
        "use_orig_params": kind == "fsdp",
        "sharding_strategy": ShardingStrategy.NO_SHARD if kind == "no_shard" else ShardingStrategy.FULL_SHARD,
    }
    model.first = FullyShardedDataParallel(model.first, **keywords)  # type: ignore[assignment]
    model.second = FullyShardedDataParallel(model.second, **keywords)  # type: ignore[assignment]
    return FullyShardedDataParallel(model, **keywords)


def read(kind: str) -> dict[str, object]:
    """What is seen of one step: this process is fed two rows, one after the other."""
    model = Small()
    every, some = (GradientReader.of(model, seed=3, limit=limit) for limit in (1000, SOME))
    wrapped: Any = shard(model, kind)
    late = GradientReader.of(model, seed=3)
    if kind == "unreduced":
        wrapped.set_requires_gradient_sync(False)
    process, processes = dist.get_rank(), dist.get_world_size()
    with wrapped.no_sync() if kind == "unreduced-flat" else nullcontext():
        for row in ROWS.chunk(processes)[process].split(1):
            (wrapped(row) / 2).backward()
    try:
        entries, norm = every.read(model)
    except WorkloadError as error:
        return {"error": str(error)}
    return {
        "entries": entries,
        "norm": norm,
        "some": some.read(model)[0],
        "names": late.coordinates.names,
        "values": {parameter.name: parameter.value() for parameter in parameters_of(model)},
        "sums": sums_of(model),
    }


def asked() -> dict[str, object]:
    """What is said where FSDP was asked for, of a model that is not sharded and of one that is."""
    os.environ["ACCELERATE_USE_FSDP"] = "true"
    check_shards_were_made(True, None)
    try:
        check_shards_were_made(False, None)
    except WorkloadError as error:
        return {"error": str(error)}
    return {}


if __name__ == "__main__":
    dist.init_process_group("gloo")
    for kind in KINDS:
        torch.save(read(kind), Path(sys.argv[1]) / f"{kind}-{dist.get_rank()}.pt")
    torch.save(asked(), Path(sys.argv[1]) / f"asked-{dist.get_rank()}.pt")
    dist.barrier()
    dist.destroy_process_group()
