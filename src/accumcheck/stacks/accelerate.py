"""accumcheck's own training loop with accelerate, which gives every split the same loss and the same gradient.

The model's loss is a mean over a micro-batch, but the loss of the step must be a mean over the global batch. The loop
therefore counts the tokens of all micro-batches of a window before it trains on the first one, and sums the counts over
processes. The mean of each micro-batch is weighted by its share of that sum. Two later divisions are undone:
``accelerator.backward`` divides by the accumulation steps, and DDP averages over processes.

Source: https://huggingface.co/docs/accelerate/usage_guides/gradient_accumulation, the section on samples of variable
length.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from accumcheck.stacks.protocol import LoopSpec, Training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch

    from accumcheck.capture.observer import Observer
    from accumcheck.record import TrajectoryPoint


class AccelerateLoop:
    """``stack: accelerate``."""

    def train(self, training: Training, observer: Observer) -> None:
        """See `Loop.train`."""
        import torch

        if training.updates:
            optimizer, clip_at = _optimizer(training), _clip_at(training)
        else:
            optimizer, clip_at = torch.optim.SGD(training.model.parameters(), lr=0.0), float("inf")
        train(training, optimizer, training.check.steps, observer.told, clip_at=clip_at)

    def train_freely(self, training: Training) -> list[TrajectoryPoint]:
        """See `Loop.train_freely`. The optimizer is AdamW; the gradient is clipped as in Trainer."""
        from accumcheck.record import TrajectoryPoint

        points: list[TrajectoryPoint] = []

        def told(step: int, logs: Mapping[str, Any]) -> None:
            points.append(TrajectoryPoint(step, logs["loss"], logs["grad_norm"]))

        steps = training.check.trajectory_steps
        train(training, _optimizer(training), steps, told, clip_at=_clip_at(training))
        return points


def _optimizer(training: Training) -> torch.optim.Optimizer:
    import torch

    asked = training.check.training_arguments
    return torch.optim.AdamW(
        training.model.parameters(),
        lr=float(asked.get("learning_rate", 5e-5)),
        weight_decay=float(asked.get("weight_decay", 0.0)),
        fused=True,  # as in Trainer: it computes in float32, even if the weights have fewer bits
    )


def _clip_at(training: Training) -> float:
    """The norm above which the gradient is clipped. As in Trainer, 0 means no clipping."""
    return float(training.check.training_arguments.get("max_grad_norm", 1.0)) or float("inf")


def train(
    training: Training,
    optimizer: torch.optim.Optimizer,
    steps: int,
    told: Callable[[int, Mapping[str, Any]], None],
    *,
    clip_at: float = float("inf"),
) -> None:
    """Train.

    Args:
        training: the model, the samples and the split.
        optimizer: the optimizer of the model's parameters.
        steps: the number of optimizer steps; each takes ``k`` micro-batches of every process.
        told: called after each step with its number (from 1), its ``loss`` and its ``grad_norm`` before clipping.
        clip_at: the gradient norm above which it is clipped.
    """
    import torch
    from accelerate import Accelerator
    from accelerate.utils import GradientAccumulationPlugin

    split, asked = training.split, training.check.training_arguments
    precision = "bf16" if asked.get("bf16") else "fp16" if asked.get("fp16") else "no"
    accelerator = Accelerator(
        # a window is read before it is trained on. At its first micro-batch the data may thus have ended already, and
        # accelerate would assume that every micro-batch of the window is the last one
        gradient_accumulation_plugin=GradientAccumulationPlugin(
            num_steps=split.gradient_accumulation_steps, sync_with_dataloader=False
        ),
        mixed_precision=precision,
        cpu=training.device == "cpu",
    )
    samples: Any = training.samples
    loader = torch.utils.data.DataLoader(
        samples, batch_size=split.per_device_train_batch_size, collate_fn=training.collator
    )
    model, optimizer, loader = accelerator.prepare(training.model, optimizer, loader)
    model.train()
    norm = torch.zeros(())
    for step, window in enumerate(_windows(loader, split.gradient_accumulation_steps, steps), start=1):
        counts = [count_predictions(training.model, batch) for batch in window]
        total = int(accelerator.reduce(torch.tensor(sum(counts), device=accelerator.device), "sum"))
        mean = torch.zeros((), device=accelerator.device)
        for batch, count in zip(window, counts, strict=True):
            with accelerator.accumulate(model):
                loss = model(**batch).loss * count / total
                mean += loss.detach()
                accelerator.backward(loss * split.num_processes * split.gradient_accumulation_steps)
                if accelerator.sync_gradients:
                    norm = accelerator.clip_grad_norm_(model.parameters(), clip_at)
                optimizer.step()
                optimizer.zero_grad()
        told(step, {"loss": float(accelerator.reduce(mean, "sum")), "grad_norm": float(norm)})


def count_predictions(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> int:
    """The number of predictions over which the model's loss is a mean.

    A causal model predicts each label from the token before it, so it never predicts the first label of a row. Other
    models predict all labels. If rows do not have one label per token, each row is one prediction.
    """
    labels = batch.get("labels")
    if labels is None or labels.ndim < 2 or labels.is_floating_point():
        return len(next(iter(batch.values())) if labels is None else labels)
    from accumcheck.rows.sample import IGNORED

    config: Any = model.config
    shifted = "CausalLM" in type(model).__name__ or "LMHead" in type(model).__name__
    shifted |= "ConditionalGeneration" in type(model).__name__ and not config.is_encoder_decoder
    return int((labels[:, 1:] if shifted else labels).ne(IGNORED).sum())


def _windows(loader: Any, size: int, count: int) -> Iterator[list[dict[str, torch.Tensor]]]:
    """``count`` lists of ``size`` micro-batches each. The data start again from the beginning when they end."""

    def forever() -> Iterator[dict[str, torch.Tensor]]:
        while True:
            yield from loader

    batches = forever()
    return ([*islice(batches, size)] for _ in range(count))


SPEC = LoopSpec(
    name="accelerate",
    help="accumcheck's own training loop with accelerate, which is correct",
    package="accelerate",
    training_arguments=("bf16", "fp16", "learning_rate", "max_grad_norm", "weight_decay"),
    has_trainer=False,
    has_epochs=False,
    make=lambda _: AccelerateLoop(),
)
