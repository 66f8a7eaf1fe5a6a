"""The observations of one process in one optimizer step: the loss of every micro-batch, and how it is scaled.

The model's loss is compared with its loss without a token count, on the same micro-batch, with the same weights and the
same dropout. This needs one more forward pass without gradients, and only if a count was passed. The training is not
changed: random number generators and buffers are restored.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from accumcheck.capture.losses import TOKEN_COUNT, Watched, loss_in
from accumcheck.rows.sample import IGNORED

CLOSE = 1e-3
"""The largest relative difference between a loss and a formula that it follows."""


@dataclass
class Seen:
    """One micro-batch. ``tokens`` and ``labels``: the number of predictions and of unmasked labels of each row.

    ``mean``: the mean loss of its predictions; ``ratio``: the loss that the model returned, divided by that mean; None
    if it was not found; ``loss``, ``factor`` and ``token_count``: see `accumcheck.record.MicroBatch`.
    """

    tokens: list[int]
    labels: list[int]
    mean: float
    ratio: float | None
    loss: float | None = None
    factor: float | None = None
    token_count: float | None = None


@dataclass
class ModelWatch:
    """Watches a model from `start` to `stop`. ``problem``: why something was not seen; empty if all was seen."""

    model: torch.nn.Module
    problem: str = ""
    batch: dict[str, Any] = field(default_factory=dict)
    _seen: list[Seen] = field(default_factory=list)
    _losses: list[Watched] = field(default_factory=list)
    _handles: list[Any] = field(default_factory=list)
    _asking: bool = False
    _shifts: bool | None = None
    _before: _State | None = None

    def start(self) -> None:
        """Start watching."""
        self._handles = [
            self.model.register_forward_pre_hook(self._begins, with_kwargs=True),
            self.model.register_forward_hook(self._ended, with_kwargs=True),
        ]

    def stop(self) -> list[Seen]:
        """Stop watching, and return the micro-batches in the order in which they were fed."""
        for handle in self._handles:
            handle.remove()
        self._handles, seen, self._seen = [], self._seen, []
        passages, self._losses = [one.passage() for one in self._losses], []
        if len(passages) != len(seen):
            self.problem = self.problem or "the model was called more than once for a micro-batch"
            return []
        for one, passage in zip(seen, passages, strict=True):
            one.loss, one.factor, one.token_count = passage.loss, passage.factor, passage.token_count
        return seen

    def _watches(self) -> bool:
        return not self._asking and self.model.training and torch.is_grad_enabled() and not self.problem

    def _begins(self, _: torch.nn.Module, __: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._watches():
            self._losses.append(Watched(kwargs.get(TOKEN_COUNT)))
            counted = kwargs.get(TOKEN_COUNT) is not None
            self._before = _State(self.model) if counted else None

    def _ended(self, _: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if not self._watches():
            return
        self._losses[-1].returned(output)
        self._asking = True
        try:
            self._seen.append(self._measured(args[0] if args and isinstance(args[0], Mapping) else kwargs, output))
        except Exception as error:  # a user's model may do anything; its training must go on
            self.problem = f"{type(error).__name__}: {error}".splitlines()[0]
        finally:
            self._asking = False

    def _measured(self, fed: Mapping[str, Any], output: Any) -> Seen:
        """The loss of the model for this micro-batch, and the mean over its predictions."""
        batch = {name: value for name, value in fed.items() if name != TOKEN_COUNT}
        self.batch = batch
        if self._shifts is None:
            self._shifts = self._never_predicts_first_label(batch)
        tokens, labels = predictions(batch, shifts=self._shifts)
        loss = loss_in(output)
        if loss is None:
            return Seen(tokens, labels, float("nan"), None)
        returned, count = float(loss.detach()), fed.get(TOKEN_COUNT)
        if count is None or self._before is None:
            return Seen(tokens, labels, returned, 1.0)
        with self._before.again():
            mean = self._loss(batch, self._before)
            ratio = _close(returned, mean, {1.0, sum(tokens) / float(count)})
            if ratio is None:  # there may be another term that is not divided; look at the rest
                halved = self._loss({**batch, TOKEN_COUNT: 2 * count}, self._before)
                divided, beside = 2 * (returned - halved), 2 * halved - returned
                ratio = divided / (mean - beside) if mean != beside else None
        return Seen(tokens, labels, mean, ratio)

    def _loss(self, batch: Mapping[str, Any], state: _State) -> float:
        state.set()
        loss = loss_in(self.model(**batch))
        return float("nan") if loss is None else float(loss)

    def _never_predicts_first_label(self, batch: Mapping[str, Any]) -> bool:
        """Whether the model's loss stays the same when the first label of each row changes."""
        if not _of_tokens(batch.get("labels")) or "shift_labels" in batch:
            return False
        losses = []
        same = _State(self.model)
        with same.again():
            for first in (0, IGNORED):
                labels = batch["labels"].clone()
                labels[:, 0] = first
                losses.append(self._loss({**batch, "labels": labels}, same))
        return losses[0] == losses[1]


def predictions(batch: Mapping[str, Any], *, shifts: bool) -> tuple[list[int], list[int]]:
    """The number of predictions and of unmasked labels of every row. A row without a label per token is one prediction.

    ``shifts``: the model compares each position with the label of the next one, so first labels are not predicted.
    """
    labels = batch.get("shift_labels", batch.get("labels"))
    if not _of_tokens(labels):
        rows = len(next(iter(batch.values())) if labels is None else labels)
        return [1] * rows, [1] * rows
    kept = labels.ne(IGNORED).flatten(1)
    all_of_them: list[int] = kept.sum(1).tolist()
    return (kept[:, 1:].sum(1).tolist() if shifts else all_of_them), all_of_them


def _of_tokens(labels: Any) -> bool:
    return isinstance(labels, torch.Tensor) and labels.ndim > 1 and not labels.is_floating_point()


def _close(value: float, mean: float, ratios: set[float]) -> float | None:
    """The ratio that gives the value if the mean is multiplied by it; None if no ratio does."""
    return next((ratio for ratio in ratios if abs(value - ratio * mean) <= CLOSE * abs(ratio * mean)), None)


class _State:
    """The current state of the random number generators and of a model's buffers."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
        self._cpu = torch.get_rng_state()
        self._gpu = torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None

    def set(self) -> None:
        """Restore this state."""
        for buffer, kept in self._buffers:
            if not torch.equal(buffer, kept):
                buffer.data.copy_(kept)  # hidden from autograd, whose backward needs the buffer's version unchanged
        torch.set_rng_state(self._cpu)
        if self._gpu is not None:
            torch.cuda.set_rng_state(self._gpu, self._device)

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """A context for forward passes without gradients. Afterwards the state is as before."""
        with torch.no_grad():
            found = _State(self._model)
            try:
                yield
            finally:
                found.set()
