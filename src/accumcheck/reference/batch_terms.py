"""What makes a model depend on its batch: found by removing a candidate and computing again, not by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any

import torch

from accumcheck.record import BatchTerm
from accumcheck.reference.reduction import SAME
from accumcheck.reference.samples import LossOf
from accumcheck.rows.collate import Collator
from accumcheck.rows.fed import rows_in
from accumcheck.rows.sample import Sample

_Normalisation = torch.nn.modules.batchnorm._BatchNorm
"""The base class of every batch normalisation in torch, including SyncBatchNorm; it has no public name."""


class AdditiveTerm:
    """Watches a model's forward for outputs that are added to its loss, such as a load-balancing loss.

    Used as a context manager.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._outputs: Any = None
        self.names: tuple[str, ...] = ()
        self.outputs: tuple[str, ...] = ()

    def __enter__(self) -> AdditiveTerm:
        self._hook = self._model.register_forward_hook(self._saw)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hook.remove()

    def _saw(self, _: torch.nn.Module, __: Any, outputs: Any) -> None:
        self._outputs = outputs

    def of(self, loss: torch.Tensor) -> torch.Tensor:
        """The part of the loss that comes from the other scalars in the last forward's outputs; zero if there is none.

        The loss is assumed to be linear in them, with its derivative as coefficient.
        """
        found = torch.zeros_like(loss)
        slopes: dict[str, float] = {}
        for name, value in self._outputs.items() if hasattr(self._outputs, "items") else ():
            if name == "loss" or not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.requires_grad:
                continue
            (slope,) = torch.autograd.grad(loss, value, retain_graph=True, allow_unused=True)
            if slope is not None and bool((slope != 0).any()):
                found = found + (slope.detach() * value).reshape(loss.shape)
                slopes[name] = float(slope)
        self.outputs = tuple(slopes)
        self.names = tuple(f"{name}, times {slope:.3g} in the loss" for name, slope in slopes.items())
        return found


def batch_term(
    model: torch.nn.Module, loss_of: LossOf, samples: Sequence[Sample], collator: Collator, dtype: str
) -> BatchTerm | None:
    """Find why the loss of ``samples`` together differs from their mean.

    Returns:
        A scalar output that is added to the loss, the batch-normalisation layers, or padding that the loss does not
        leave out; None if it is none of these.
    """
    with AdditiveTerm(model) as additive:
        loss, _ = loss_of(collator(samples))
        additive.of(loss)
        if additive.names:
            complete = _adds_up(lambda batch: _without(additive, loss_of, batch), samples, collator, dtype)
            name, output = " and ".join(additive.names), " and ".join(additive.outputs)
            return BatchTerm(name, additive=True, complete=complete, output=output)
    found = normalisation_of(model)
    if found is None:
        return _padding(model, loss_of, samples, collator, dtype)
    with _evaluating(_normalising(model).values()):
        complete = _adds_up(loss_of, samples, collator, dtype)
    return replace(found, complete=complete)


def normalisation_of(model: torch.nn.Module) -> BatchTerm | None:
    """The layers that normalise over the batch; None if none is in training mode."""
    layers = _normalising(model)
    if not layers:
        return None
    first = next(iter(layers))
    which = f"layer {first}" if len(layers) == 1 else f"{len(layers)} layers, the first is {first}"
    return BatchTerm(f"batch normalisation ({which})", additive=False, complete=True)


def _normalising(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    return {
        name: layer for name, layer in model.named_modules() if isinstance(layer, _Normalisation) and layer.training
    }


def _padding(
    model: torch.nn.Module, loss_of: LossOf, samples: Sequence[Sample], collator: Collator, dtype: str
) -> BatchTerm | None:
    """Padding, if samples that are padded alone as far as in the batch add up to the batch's loss."""
    batch = collator(samples)
    padded = rows_in(batch, getattr(model, "config", None), padded=True)
    if len(padded) != len(samples) or not _adds_up(loss_of, padded, collator, dtype):
        return None
    return BatchTerm(PADDING, additive=False, complete=True)


PADDING = "padding: its loss includes padded positions, so a row's loss depends on the longest row of its batch"


def _without(additive: AdditiveTerm, loss_of: LossOf, batch: Any) -> tuple[torch.Tensor, int]:
    loss, count = loss_of(batch)
    return loss - additive.of(loss), count


def _adds_up(loss_of: LossOf, samples: Sequence[Sample], collator: Collator, dtype: str) -> bool:
    """Whether the loss of the samples together is the mean of their losses, weighted by their predictions."""
    alone = [loss_of(collator([sample])) for sample in samples]
    total = sum(count for _, count in alone)
    right = sum(float(loss.detach()) * count for loss, count in alone) / max(total, 1)
    together = float(loss_of(collator(samples))[0].detach())
    return abs(together - right) <= SAME[dtype] * abs(right)


@contextmanager
def _evaluating(layers: Any) -> Iterator[None]:
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()
