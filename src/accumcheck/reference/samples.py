"""The right values, one sample at a time: loss, predicted tokens and gradient, in plain PyTorch.

The stack's batching, accumulation, distribution and loss scaling are not involved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from accumcheck.capture.losses import loss_in
from accumcheck.config.model import CheckConfig
from accumcheck.rows.fields import moved, size_of
from accumcheck.rows.sample import IGNORED

Batch = Mapping[str, Any]
LossOf = Callable[[Batch], tuple[torch.Tensor, int]]
"""From a batch on the CPU to its mean loss and the number of predictions, see `mean_loss`."""


def precision(check: CheckConfig, device: str) -> AbstractContextManager[Any]:
    """The autocast context of the training arguments (``bf16`` or ``fp16``), or none."""
    kind = device.split(":", 1)[0]
    if check.training_arguments.get("bf16"):
        return torch.autocast(kind, dtype=torch.bfloat16)
    if check.training_arguments.get("fp16"):
        return torch.autocast(kind, dtype=torch.float16)
    return nullcontext()


def loss_as_asked(check: CheckConfig, model: torch.nn.Module, device: str, *, smoothed: bool = True) -> LossOf:
    """The loss that the user requested: the model's own, in the precision and with the smoothing of the arguments.

    ``smoothed``: False leaves out the smoothing.
    """
    smoothing = float(check.training_arguments.get("label_smoothing_factor") or 0.0) if smoothed else 0.0

    def loss_of(batch: Batch) -> tuple[torch.Tensor, int]:
        with precision(check, device):
            return mean_loss(model, moved(batch, device), smoothing)

    return loss_of


def mean_loss(model: torch.nn.Module, batch: Batch, smoothing: float = 0.0) -> tuple[torch.Tensor, int]:
    """The mean loss per prediction of one batch, as the model itself defines it.

    Args:
        model: returns an object with ``loss`` and usually ``logits``.
        batch: one sample without padding, or several.
        smoothing: the weight of the uniform distribution in the target, Trainer's ``label_smoothing_factor``
            (Szegedy et al. 2016, section 7).

    Returns:
        The loss, still attached to its graph, and the number of predictions in it. If a sample has a label for each
        token, these are the positions whose logits get a gradient from the loss: so the model shows which labels it
        shifts or ignores. If the loss does not depend on the logits, or on more of them than there are labels (which
        are then aligned, not predicted one by one), unmasked labels are counted, after a causal shift unless
        the model is an encoder-decoder. Any other sample is one prediction: a class, a number, a span.

    Raises:
        ValueError: the model returns no loss; or smoothing is requested, and its loss does not depend on its logits.
    """
    outputs = model(**batch)
    loss = loss_in(outputs)
    if loss is None:
        raise ValueError("the model returned no loss")
    predicted = _predicted(loss, getattr(outputs, "logits", None))
    if smoothing:
        if predicted is None:
            raise ValueError("label smoothing needs the logits that the loss depends on; this model returns none")
        uniform = -torch.log_softmax(outputs.logits[predicted].float(), dim=-1).mean()
        loss = (1 - smoothing) * loss + smoothing * uniform
    return loss, _count(model, batch, predicted)


def count_predictions(model: torch.nn.Module, batch: Batch, loss: torch.Tensor, outputs: Any) -> int:
    """The number of predictions in a loss that was computed from a model's outputs; see `mean_loss`."""
    return _count(model, batch, _predicted(loss, getattr(outputs, "logits", None)))


def _count(model: torch.nn.Module, batch: Batch, predicted: torch.Tensor | None) -> int:
    if not _of_tokens(batch.get("labels"), batched=True):
        return rows_in(batch)
    labels: torch.Tensor = batch["labels"]
    found = 0 if predicted is None else int(predicted.sum())
    if not 0 < found <= count_labels(batch):
        shifted = not getattr(getattr(model, "config", None), "is_encoder_decoder", False)
        found = int((labels[..., 1:] if shifted else labels).ne(IGNORED).sum())
    return found


def _predicted(loss: torch.Tensor, logits: Any) -> torch.Tensor | None:
    """The positions of the logits that the loss depends on; shape of the logits without the last dimension."""
    if not isinstance(logits, torch.Tensor) or not logits.requires_grad:
        return None
    (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True, allow_unused=True)
    if gradient is None:
        return None
    found = (gradient != 0).any(dim=-1)
    return found if bool(found.any()) else None


def _of_tokens(labels: Any, *, batched: bool) -> bool:
    """Whether these labels have one entry per token: class numbers, in a row for each sample."""
    return isinstance(labels, torch.Tensor) and labels.ndim > batched and not labels.is_floating_point()


def rows_in(batch: Batch) -> int:
    """The number of samples in a batch."""
    first = next((batch[name] for name in ("labels", "start_positions") if name in batch), None)
    return size_of(batch) if first is None else len(first)


def count_labels(sample: Batch) -> int:
    """The number of unmasked labels, before any causal shift; 1 if a sample does not have one per token."""
    labels = sample.get("labels")
    return int((labels != IGNORED).sum()) if labels is not None and _of_tokens(labels, batched=False) else 1
