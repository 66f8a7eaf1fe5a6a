"""The truth, one sample at a time: loss, predicted tokens and gradient, in plain PyTorch.

None of the stack's batching, accumulation, distribution or loss scaling takes part.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from accumcheck.config.model import CheckConfig

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


def loss_and_tokens(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[float, int]:
    """One forward and backward pass of the model's own mean loss; gradients are left in ``.grad``.

    Args:
        model: returns an object with ``loss`` and usually ``logits``.
        batch: one sample, ``[1, ...]`` each, without padding.

    Returns:
        The loss, and how many predictions entered it: the positions whose logits the loss has a gradient for. That
        asks the model itself which labels it shifts or ignores. Where the logits do not lead to the loss, the labels
        that are not masked are counted after a causal shift.
    """
    outputs = model(**batch)
    logits = getattr(outputs, "logits", None)
    if isinstance(logits, torch.Tensor) and logits.requires_grad:
        logits.retain_grad()
    outputs.loss.backward()
    if isinstance(logits, torch.Tensor) and logits.grad is not None:
        tokens = int((logits.grad.reshape(-1, logits.shape[-1]) != 0).any(dim=-1).sum())
        if tokens:
            return float(outputs.loss.detach()), tokens
    return float(outputs.loss.detach()), int((batch["labels"][..., 1:] != IGNORED).sum())


def count_labels(sample: Mapping[str, torch.Tensor]) -> int:
    """The labels of one sample that are not masked, before any causal shift."""
    labels = sample.get("labels")
    return 0 if labels is None else int((labels != IGNORED).sum())
