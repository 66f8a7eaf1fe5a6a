"""Give every predicted token of the global batch the same weight, for a loss that is a mean over its micro-batch.

Trainer first reads the micro-batches of an optimizer step. Their predictions are then counted over all processes, and
each micro-batch's mean is weighted by its share of them. What Trainer, accelerate or the model do with token
counts has no effect, in any release. Not for torch's DataParallel, DeepSpeed, or a loss that is a sum.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import torch

IGNORED = -100


def token_mean(trainer: Any) -> None:
    """Call this after making the trainer, before ``trainer.train()``."""
    if trainer.args.n_gpu > 1 or trainer.is_deepspeed_enabled:
        raise ValueError("token_mean: start one process per GPU (torchrun), without DeepSpeed")
    step: dict[str, Any] = {}  # shifts: does the loss compare a position with the next label; total: predictions

    def count(batch: Any) -> int:
        labels = batch.get("shift_labels", batch.get("labels"))
        if labels is None or labels.is_floating_point():  # one prediction per row
            return len(next(iter(batch.values())) if labels is None else labels)
        shifts = labels.ndim > 1 and "shift_labels" not in batch and step["shifts"]
        return int((labels[:, 1:] if shifts else labels).ne(IGNORED).sum())

    def begin(batches: list[Any]) -> None:
        if batches and "shifts" not in step:
            step["shifts"] = _never_predicts_first_label(trainer, batches[0])
        mine = torch.tensor([sum(map(count, batches))], device=trainer.args.device)
        step["total"] = int(trainer.accelerator.gather(mine).sum())

    def training_step(model: Any, inputs: Any, *_: Any, **__: Any) -> Any:
        model.train()
        inputs = trainer._prepare_inputs(inputs)
        predictions, accelerator = count(inputs), trainer.accelerator
        trainer.model_accepts_loss_kwargs = False  # else some releases multiply by the number of processes
        with trainer.compute_loss_context_manager():
            mean = trainer.compute_loss(model, inputs)
        mean = mean if predictions else mean.nan_to_num()  # a mean without predictions is 0 / 0
        # gradients, and losses in the log, are averaged over processes: undo that
        loss = mean * (predictions * accelerator.num_processes / max(step["total"], 1))
        accelerator.backward(loss * accelerator.gradient_accumulation_steps)  # accelerator divides by it
        return loss.detach()

    trainer.training_step = training_step
    if hasattr(trainer, "get_batch_samples"):
        read = trainer.get_batch_samples

        def get_batch_samples(*args: Any, **kwargs: Any) -> Any:
            batches, counted = read(*args, **kwargs)
            begin(batches)
            return batches, counted

        trainer.get_batch_samples = get_batch_samples
    else:  # transformers 4.45 reads micro-batches one by one
        load = trainer.get_train_dataloader
        trainer.get_train_dataloader = lambda: _Ahead(load(), trainer.args.gradient_accumulation_steps, begin)


def _never_predicts_first_label(trainer: Any, batch: Any) -> bool:
    """Whether the model's loss stays the same when each row's first label changes."""
    if getattr(batch.get("labels"), "ndim", 1) < 2 or batch["labels"].is_floating_point():
        return False
    model = trainer.model_wrapped
    was_training = model.training
    losses = []
    for first in (0, IGNORED):
        labels = batch["labels"].clone()
        labels[:, 0] = first
        with torch.no_grad(), trainer.compute_loss_context_manager():
            losses.append(float(model.eval()(**trainer._prepare_inputs({**batch, "labels": labels}))["loss"]))
    model.train(was_training)
    return losses[0] == losses[1]


class _Ahead:
    """A data loader that reads all micro-batches of an optimizer step before it returns the first."""

    def __init__(self, loader: Any, size: int, begin: Any) -> None:
        self._loader, self._size, self._begin = loader, size, begin

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Any:
        batches = iter(self._loader)
        while window := list(islice(batches, self._size)):
            self._begin(window)
            yield from window
