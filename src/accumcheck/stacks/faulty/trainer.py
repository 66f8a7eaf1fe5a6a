"""A real Trainer with one fault planted in it.

The loop, the data loader, the distribution and the optimizer are those of the installed Trainer. Four methods that
users override too are replaced: the order of the samples, the contribution of one micro-batch, the creation of the
optimizer, and the log. Without a planted fault they give the right result in every release, so a fault of the release
itself is not mixed up with the planted one.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from accumcheck.stacks.faulty.context import MicroBatchContext
from accumcheck.stacks.faulty.faults import Fault, fault_of
from accumcheck.stacks.protocol import Training
from accumcheck.stacks.trainer import TrainerLoop

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

CLIPPED_TO = {"norm": 0.05, "value": 1e-3}
"""Limits that are below the gradient of any micro-batch here."""


class PlantedLoop(TrainerLoop):
    """``stack: planted:NAME``."""

    def __init__(self, fault: str) -> None:
        self._fault = fault_of(fault)

    def trainer(self, training: Training, **arguments: Any) -> Trainer:
        """A Trainer of the installed release with the fault planted."""
        return _planted(training, self._fault)(**arguments)


def _planted(training: Training, fault: Fault) -> type[Trainer]:
    import torch
    from transformers import Trainer

    from accumcheck.rows.fingerprint import SampleIndex
    from accumcheck.rows.sample import IGNORED

    split = training.split
    k = split.gradient_accumulation_steps
    order, context_of = _dealt(training, fault)
    index = SampleIndex(training.samples)
    left = dict[torch.nn.Parameter, torch.Tensor]()

    class Planted(Trainer):  # type: ignore[misc]
        """See the module."""

        def _get_train_sampler(self, *_: Any) -> Any:
            return _Order(order)

        def create_optimizer(self, *args: Any) -> torch.optim.Optimizer:
            optimizer: torch.optim.Optimizer = super().create_optimizer(*args)
            if fault.lacks is not None and k > 1:
                lacking = training.model.get_parameter(fault.lacks)
                for group in optimizer.param_groups:
                    group["params"] = [one for one in group["params"] if one is not lacking]
            if fault.hooked:
                optimizer.register_step_pre_hook(lambda *_: _scale(training.model, k))
            if fault.decays_each:
                optimizer.register_step_post_hook(lambda stepped, *_: _decay(stepped, k - 1))
            if fault.never_clips:
                self.args.max_grad_norm = 0.0
            return optimizer

        def log(self, logs: dict[str, float], *args: Any) -> None:
            if fault.logged_norm and "grad_norm" in logs:
                logs["grad_norm"] *= k
            if fault.logs_next_rate and "learning_rate" in logs:
                logs["learning_rate"] = self.lr_scheduler.get_last_lr()[0]
            super().log(logs, *args)

        def training_step(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *_: Any) -> torch.Tensor:
            model.train()
            inputs = self._prepare_inputs(inputs)
            fed = list(index.find(inputs))
            lost = fault.masks(split) & set(fed)
            kept = [sample for sample in fed if sample not in lost]
            for sample in lost:
                inputs["labels"][fed.index(sample)] = IGNORED
            whole = context_of(fed, self.args.process_index)
            here = dataclasses.replace(whole, fed=kept)
            if here.place > 1:
                _scale(model, fault.decay)
            quiet: Any = model.no_sync if fault.alone and hasattr(model, "no_sync") else contextlib.nullcontext
            with quiet():
                mean: torch.Tensor = model(**inputs).loss
                if not kept:  # a micro-batch of one sample without labels has no loss and no gradient
                    mean = torch.nan_to_num(mean) * 0.0
                if fault.nan_on is not None and self.args.process_index == fault.nan_on:
                    mean = mean * float("nan")
                torch.autograd.backward(mean * fault.gradient(here))
            _spoil(training.model, fault, last=here.place == here.window, k=k, left=left)
            if fault.schedule_each and here.place < here.window:  # after the last one Trainer steps it itself
                self.lr_scheduler.step()
            return mean.detach() * (fault.loss or fault.gradient)(here)

    return Planted


def _dealt(training: Training, fault: Fault) -> tuple[list[int], Any]:
    """The samples in the order of their distribution, and a function for the context of a process's micro-batch."""
    from accumcheck.rows.sample import IGNORED

    split = training.split
    labels = [int((sample["labels"] != IGNORED).sum()) for sample in training.samples]
    # a token's label is predicted from the token before it, a class from the whole sample
    shift = [1 if sample["labels"].ndim else 0 for sample in training.samples]
    tokens = [
        int((sample["labels"].reshape(-1)[first:] != IGNORED).sum())
        for sample, first in zip(training.samples, shift, strict=True)
    ]
    order = fault.order(list(range(len(tokens))), split)
    n, b, size = split.num_processes, split.per_device_train_batch_size, split.global_batch_size
    steps = [order[first : first + size] for first in range(0, len(order), size)]

    def context(fed: list[int], process: int) -> MicroBatchContext:
        step = order.index(fed[0]) // size
        # torch's samplers give micro-batch j to process j modulo n
        dealt = [[steps[step][at : at + b] for at in range(rank * b, size, n * b)] for rank in range(n)]
        batches = next(mine for mine in dealt if any(fed[0] in batch for batch in mine))
        place = next(place for place, batch in enumerate(batches, start=1) if fed[0] in batch)
        device = [sample for batch in batches for sample in batch]
        return MicroBatchContext(split, tokens, labels, steps, step + 1, process, device, fed, place)

    return order, context


def _decay(optimizer: torch.optim.Optimizer, times: int) -> None:
    """Decay the weights as AdamW does, this many more times."""
    import torch

    with torch.no_grad():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.mul_((1 - group["lr"] * group["weight_decay"]) ** times)


def _spoil(
    model: torch.nn.Module,
    fault: Fault,
    *,
    last: bool,
    k: int,
    left: dict[torch.nn.Parameter, torch.Tensor],
) -> None:
    """Change the accumulated gradient after a micro-batch; ``last``: it is the last one of its window."""
    import torch

    if fault.clips == "norm":
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIPPED_TO["norm"])
    elif fault.clips == "value":
        torch.nn.utils.clip_grad_value_(model.parameters(), CLIPPED_TO["value"])
    if fault.spoils is not None and last and k > 1:
        name, times = fault.spoils
        gradient = model.get_parameter(name).grad
        assert gradient is not None
        gradient *= times
    if fault.leaks and last:
        for parameter in model.parameters():
            if parameter.grad is not None:
                mine = parameter.grad.clone()
                parameter.grad += left.get(parameter, 0.0)
                left[parameter] = mine


def _scale(model: torch.nn.Module, times: float) -> None:
    for parameter in model.parameters():
        if parameter.grad is not None and times != 1:
            parameter.grad *= times


class _Order:
    """A sampler that yields the samples in this order."""

    def __init__(self, order: list[int]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)
