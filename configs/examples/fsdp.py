"""A training loop with torch's own FSDP2, and nothing else: one process alone, or several under torchrun.

torchrun --nproc_per_node 2 configs/examples/fsdp.py --batch 2 --accumulate 4

FSDP averages gradients over processes, which are fed different numbers of tokens. So each micro-batch's mean loss is
weighted by its share of all tokens of the step, times the number of processes.
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from accumcheck import report_loss

IGNORED = -100


def make_model() -> LlamaForCausalLM:
    """A tiny Llama, the same in every process."""
    set_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=128, **sizes))


def make_batch(first: int, size: int, device: str) -> dict[str, Any]:
    """Rows ``first`` to ``first + size`` of endless data: 4 to 23 tokens each."""
    rows = []
    for row in range(first, first + size):
        draw = torch.Generator().manual_seed(row)
        rows.append(torch.randint(1, 128, (int(torch.randint(4, 24, (), generator=draw)),), generator=draw))
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    mask = (ids != 0).long()
    batch = {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, IGNORED)}
    return {name: value.to(device) for name, value in batch.items()}


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=2, help="rows of a micro-batch, default: %(default)s")
    parser.add_argument("--accumulate", type=int, default=4, help="micro-batches of a step, default: %(default)s")
    parser.add_argument("--steps", type=int, default=4, help="default: %(default)s")
    options = parser.parse_args()
    gpus = torch.cuda.device_count()
    device = f"cuda:{os.environ['LOCAL_RANK']}" if gpus else "cpu"
    # NCCL wants a GPU for each process
    dist.init_process_group("nccl" if 0 < int(os.environ["LOCAL_WORLD_SIZE"]) <= gpus else "gloo")
    process, processes = dist.get_rank(), dist.get_world_size()
    if gpus:
        torch.cuda.set_device(device)
    model: Any = make_model().to(device)
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for step in range(options.steps):
        start = step * options.batch * options.accumulate * processes
        window = [
            make_batch(start + (turn * processes + process) * options.batch, options.batch, device)
            for turn in range(options.accumulate)
        ]
        counts = [(batch["labels"][:, 1:] != IGNORED).sum() for batch in window]  # a causal model shifts its labels
        total = torch.stack(counts).sum()
        dist.all_reduce(total)
        mean = torch.zeros((), device=device)
        for batch, count in zip(window, counts, strict=True):
            loss = model(**batch).loss * count / total
            (loss * processes).backward()
            mean += loss.detach()
        dist.all_reduce(mean)
        optimizer.step()
        optimizer.zero_grad()
        report_loss(mean)
        if process == 0:
            print(f"step {step + 1}: loss {float(mean):.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
