"""A training loop of one's own with torch's FSDP: gradients are averaged over processes as the shards are made."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

sys.path.insert(0, str(Path(__file__).parent))
from train import collate, make_model, rows

from accumcheck import report_loss


def sharded(model: Any, kind: str, device: str) -> Any:
    if kind == "fully_shard":
        from torch.distributed.fsdp import fully_shard

        for layer in model.model.layers:
            fully_shard(layer)
        return fully_shard(model) or model  # before torch 2.7 it returned nothing
    return FullyShardedDataParallel(
        model,
        auto_wrap_policy=ModuleWrapPolicy({LlamaDecoderLayer}),
        use_orig_params=kind == "fsdp",
        device_id=torch.device(device),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--accumulate", type=int, required=True)
    parser.add_argument("--shard", choices=["fully_shard", "fsdp", "fsdp-flat"], required=True)
    parser.add_argument("--fault", choices=["undivided", "mean-of-means"])
    options = parser.parse_args()
    device = "cpu"
    if torch.cuda.is_available():
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    shared = int(os.environ["LOCAL_WORLD_SIZE"]) > max(torch.cuda.device_count(), 1)  # NCCL wants a GPU each
    dist.init_process_group("gloo" if device == "cpu" or shared else "nccl")
    process, processes = dist.get_rank(), dist.get_world_size()
    model = sharded(make_model().to(device), options.shard, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    size, data = options.batch * options.accumulate * processes, rows()
    for start in range(0, len(data), size):
        window = [
            {name: value.to(device) for name, value in collate(data[first : first + options.batch]).items()}
            for first in range(start + process * options.batch, start + size, options.batch * processes)
        ]
        counts = torch.tensor([float((batch["labels"][:, 1:] != -100).sum()) for batch in window], device=device)
        total = counts.sum()
        dist.all_reduce(total)
        shown = torch.zeros((), device=device)
        for batch, count in zip(window, counts, strict=True):
            share = count / total
            if options.fault == "mean-of-means":
                share = torch.tensor(1 / (processes * options.accumulate))
            loss = model(**batch).loss * share
            shown += loss.detach()
            (loss * processes * (options.accumulate if options.fault == "undivided" else 1)).backward()
        dist.all_reduce(shown)
        optimizer.step()
        optimizer.zero_grad()
        report_loss(shown)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
