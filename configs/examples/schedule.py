"""A loop with accelerate whose learning-rate schedule is wrong with two processes: accelerate steps it once for each.

python configs/examples/schedule.py --batch 4 --accumulate 4

A schedule that accelerate prepares is stepped once for every process at each update. Here it is made for the updates
alone, so that it ends after half of them with two processes: times ``accelerator.num_processes`` it is right.
"""

from __future__ import annotations

import argparse

import torch
from accelerate import Accelerator
from transformers import LlamaConfig, LlamaForCausalLM, get_scheduler, set_seed

from accumcheck import report_loss


def make_model() -> LlamaForCausalLM:
    """A tiny Llama, the same in every process."""
    set_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=128, **sizes))


def make_rows(count: int) -> list[dict[str, torch.Tensor]]:
    """Rows of 16 tokens each: with equal lengths, the mean of the micro-batches' means is the mean over all tokens."""
    rows = torch.randint(0, 128, (count, 16), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in rows]


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=4, help="rows of a micro-batch, default: %(default)s")
    parser.add_argument("--accumulate", type=int, default=4, help="micro-batches of a step, default: %(default)s")
    parser.add_argument("--updates", type=int, default=50, help="optimizer steps of the schedule, default: %(default)s")
    parser.add_argument("--right", action="store_true", help="make the schedule for all processes' steps")
    options = parser.parse_args()
    accelerator = Accelerator(gradient_accumulation_steps=options.accumulate)
    model = make_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    times = accelerator.num_processes if options.right else 1
    schedule = get_scheduler(
        "cosine", optimizer, num_warmup_steps=5 * times, num_training_steps=options.updates * times
    )
    loader = torch.utils.data.DataLoader(make_rows(256), batch_size=options.batch)  # type: ignore[arg-type]
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    model.train()
    shown = torch.zeros((), device=accelerator.device)
    for batch in loader:
        with accelerator.accumulate(model):
            loss = model(**batch).loss
            shown += loss.detach() / options.accumulate
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        if accelerator.sync_gradients:
            report_loss(accelerator.reduce(shown, "mean"))
            shown.zero_()


if __name__ == "__main__":
    main()
