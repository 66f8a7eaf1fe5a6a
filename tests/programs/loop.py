"""A training loop of one's own, with accelerate: a mean of means, unless it is told to count tokens."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
import yaml
from accelerate import Accelerator

sys.path.insert(0, str(Path(__file__).parent))
from train import collate, make_model, rows

from accumcheck import report_loss


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int)
    parser.add_argument("--accumulate", type=int)
    parser.add_argument("--config", type=Path, help="a YAML file with the two, by their names in TrainingArguments")
    parser.add_argument("--count-tokens", action="store_true")
    parser.add_argument("--silent", action="store_true")
    options = parser.parse_args()
    if options.config is not None:
        written = yaml.safe_load(options.config.read_text(encoding="utf-8"))
        options.batch = written["per_device_train_batch_size"]
        options.accumulate = written["gradient_accumulation_steps"]
    accelerator = Accelerator(gradient_accumulation_steps=options.accumulate, cpu=True)
    model = make_model()
    loader = torch.utils.data.DataLoader(rows(), batch_size=options.batch, collate_fn=collate)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    model.train()
    batches = list(loader)
    for start in range(0, len(batches), options.accumulate):
        window = batches[start : start + options.accumulate]
        counts = torch.tensor([int((batch["labels"][:, 1:] != -100).sum()) for batch in window])
        total = int(accelerator.reduce(counts.sum(), "sum"))
        shown = torch.tensor(0.0)
        for batch, count in zip(window, counts, strict=True):
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                if options.count_tokens:  # accelerate divides by the accumulation, and averages over processes
                    loss = loss * count / total * accelerator.num_processes * options.accumulate
                shown += accelerator.reduce(loss.detach(), "mean") / options.accumulate
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
        if not options.silent:
            report_loss(shown)


if __name__ == "__main__":
    main()
