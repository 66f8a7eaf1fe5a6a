"""The truth, one sample at a time: loss, predicted tokens and gradient, in plain PyTorch.

None of the stack's batching, accumulation, distribution or loss scaling takes part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from accumcheck.config.model import CheckConfig

Batch = Mapping[str, torch.Tensor]
LossOf = Callable[[Batch], tuple[torch.Tensor, int]]
"""From a batch on the CPU to its mean loss and the number of predictions, see `mean_loss`."""

IGNORED = -100
"""The label that transformers' losses leave out."""


def precision(check: CheckConfig, device: str) -> AbstractContextManager[Any]:
    """The autocast context that the training arguments ask for (``bf16`` or ``fp16``), or none."""
    kind = device.split(":", 1)[0]
    if check.training_arguments.get("bf16"):
        return torch.autocast(kind, dtype=torch.bfloat16)
    if check.training_arguments.get("fp16"):
        return torch.autocast(kind, dtype=torch.float16)
    return nullcontext()


def loss_as_asked(check: CheckConfig, model: torch.nn.Module, device: str) -> LossOf:
    """The loss that the user asked for: the model's own, in the precision and with the smoothing of the arguments."""
    smoothing = float(check.training_arguments.get("label_smoothing_factor") or 0.0)

    def loss_of(batch: Batch) -> tuple[torch.Tensor, int]:
        with precision(check, device):
            return mean_loss(model, {name: value.to(device) for name, value in batch.items()}, smoothing)

    return loss_of


def mean_loss(model: torch.nn.Module, batch: Batch, smoothing: float = 0.0) -> tuple[torch.Tensor, int]:
    """The mean loss per predicted token of one batch, as the model itself defines it.

    Args:
        model: returns an object with ``loss`` and usually ``logits``.
        batch: one sample without padding, or several.
        smoothing: the weight of the uniform distribution in the target, Trainer's ``label_smoothing_factor``
            (Szegedy et al. 2016, section 7).

    Returns:
        The loss, still attached to its graph, and how many predictions entered it: the positions whose logits the
        loss has a gradient for. That asks the model which labels it shifts or ignores. Where the logits do not lead to
        the loss, the labels that are not masked are counted after a causal shift.

    Raises:
        ValueError: smoothing is asked for, and the model's logits do not lead to its loss.
    """
    outputs = model(**batch)
    loss: torch.Tensor = outputs.loss
    predicted = _predicted(loss, getattr(outputs, "logits", None))
    if smoothing:
        if predicted is None:
            raise ValueError("label smoothing needs logits that lead to the loss, and this model hands out none")
        uniform = -torch.log_softmax(outputs.logits[predicted].float(), dim=-1).mean()
        loss = (1 - smoothing) * loss + smoothing * uniform
    tokens = int(predicted.sum()) if predicted is not None else int((batch["labels"][..., 1:] != IGNORED).sum())
    return loss, tokens


def _predicted(loss: torch.Tensor, logits: Any) -> torch.Tensor | None:
    """Which positions of the logits the loss depends on, the shape of the logits without the last dimension."""
    if not isinstance(logits, torch.Tensor) or not logits.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True, allow_unused=True)
    if gradient is None:
        return None
    found = (gradient != 0).any(dim=-1)
    return found if bool(found.any()) else None


def count_labels(sample: Batch) -> int:
    """The labels of one sample that are not masked, before any causal shift."""
    labels = sample.get("labels")
    return 0 if labels is None else int((labels != IGNORED).sum())
