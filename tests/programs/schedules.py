"""A loop with accelerate that counts the steps of its schedule as published scripts for diffusion models do.

``--counted``: ``loader-before``: the data loader's length is read before accelerate divides it over the processes, and
the steps that follow are multiplied by their number (textual_inversion.py of diffusers); ``micro-batches``: the
schedule is made for every micro-batch, though it is stepped at every update (train_unconditional.py); ``right``: as in
the scripts of diffusers that were corrected (train_text_to_image.py).
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers import get_scheduler

sys.path.insert(0, str(Path(__file__).parent))
from train import make_model

from accumcheck import report_loss

EPOCHS = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--accumulate", type=int, required=True)
    parser.add_argument("--counted", choices=["loader-before", "micro-batches", "right"], required=True)
    options = parser.parse_args()
    accelerator = Accelerator(gradient_accumulation_steps=options.accumulate, cpu=True)
    model = make_model()
    tokens = torch.randint(3, 128, (64, 12), generator=torch.Generator().manual_seed(0))
    loader: Any = torch.utils.data.DataLoader(
        [{"input_ids": row, "labels": row} for row in tokens],  # type: ignore[arg-type]
        batch_size=options.batch,
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    n = accelerator.num_processes
    if options.counted == "micro-batches":
        total = len(loader) * EPOCHS
    elif options.counted == "loader-before":
        total = EPOCHS * math.ceil(len(loader) / options.accumulate) * n
    else:
        total = EPOCHS * math.ceil(math.ceil(len(loader) / n) / options.accumulate) * n
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=0, num_training_steps=total)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    model.train()
    shown = torch.tensor(0.0)
    for _ in range(EPOCHS):
        for batch in loader:
            with accelerator.accumulate(model):
                loss = model(**batch).loss
                shown += loss.detach() / options.accumulate
                accelerator.backward(loss)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            if accelerator.sync_gradients:
                report_loss(accelerator.reduce(shown, "mean"))
                shown.zero_()


if __name__ == "__main__":
    main()
