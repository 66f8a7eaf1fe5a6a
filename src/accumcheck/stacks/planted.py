"""A real Trainer with one fault planted in it, for ``accumcheck selftest``.

The loop, the data loader, the distribution and the optimizer are the installed Trainer's. Two of its methods, which its
users override as well, are replaced: the order of samples, and what one micro-batch contributes. Without a fault they
give the right answer in every release, so that a release's own faults do not blur the planted one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accumcheck.record import Split
from accumcheck.stacks.protocol import LoopSpec, Training
from accumcheck.stacks.trainer import TrainerLoop

if TYPE_CHECKING:
    import torch
    from transformers import Trainer


@dataclass(frozen=True)
class MicroBatchContext:
    """What a fault may use, counted here. ``tokens``, ``labels``: of every sample, after and before the causal shift.

    ``global_batch``: the samples of this step; ``device``: those that this process sees in it; ``fed``: of this
    micro-batch.
    """

    split: Split
    tokens: list[int]
    labels: list[int]
    global_batch: list[int]
    device: list[int]
    fed: list[int]

    def count(self, samples: list[int]) -> int:
        """Predicted tokens of these samples."""
        return sum(self.tokens[sample] for sample in samples)

    def count_labels(self, samples: list[int]) -> int:
        """Unmasked labels of these samples, before the causal shift."""
        return sum(self.labels[sample] for sample in samples)

    @property
    def window(self) -> int:
        """The micro-batches of this step; the last of an epoch can have fewer than ``k``."""
        return math.ceil(len(self.device) / self.split.per_device_train_batch_size)

    @property
    def right(self) -> float:
        """What the micro-batch's mean loss is to be multiplied by; ``n`` undoes the mean over processes."""
        return self.count(self.fed) / self.count(self.global_batch) * self.split.num_processes


Coefficient = Callable[[MicroBatchContext], float]


def _right(batch: MicroBatchContext) -> float:
    return batch.right


@dataclass(frozen=True)
class Fault:
    """One fault. The fields that it leaves alone do the right thing.

    ``gradient``, ``loss``: the micro-batch's coefficient in what is differentiated and in what is logged;
    ``order``: the samples in the order in which they are dealt; ``masks``: samples whose labels are lost on the way;
    ``leaks``: each step's gradient holds that of the step before; ``alone``: processes do not reduce their gradients;
    ``nan_on``: the process whose loss is not a number.
    """

    gradient: Coefficient = _right
    loss: Coefficient | None = None
    order: Callable[[list[int], Split], list[int]] = field(default=lambda samples, split: samples)  # noqa: ARG005
    masks: Callable[[Split], set[int]] = field(default=lambda split: set())  # noqa: ARG005
    alone: bool = False
    leaks: bool = False
    nan_on: int | None = None


def _accumulated(value: int, split: Split) -> set[int]:
    return {value} if split.gradient_accumulation_steps > 1 else set()


def _twice(samples: list[int], split: Split) -> list[int]:
    return [5, *samples[1:]] if split.gradient_accumulation_steps > 1 else samples


def _backwards(samples: list[int], split: Split) -> list[int]:
    return samples[::-1] if split.gradient_accumulation_steps > 1 else samples


FAULTS: Mapping[str, Fault] = {
    "none": Fault(),
    "times-k": Fault(lambda batch: batch.right * batch.split.gradient_accumulation_steps),
    "over-k": Fault(lambda batch: batch.right / batch.split.gradient_accumulation_steps),
    "times-n": Fault(lambda batch: batch.right * batch.split.num_processes),
    "over-n": Fault(lambda batch: batch.right / batch.split.num_processes),
    "gradient-only": Fault(lambda batch: batch.right * batch.split.gradient_accumulation_steps, loss=_right),
    "log-only": Fault(loss=lambda batch: batch.right * batch.split.gradient_accumulation_steps),
    "mean-of-means": Fault(lambda batch: 1 / batch.split.gradient_accumulation_steps),
    "sum-of-means": Fault(lambda batch: 1.0),  # noqa: ARG005
    "device-mean": Fault(lambda batch: batch.count(batch.fed) / batch.count(batch.device)),
    "unshifted-count": Fault(
        lambda batch: batch.count(batch.fed) / batch.count_labels(batch.global_batch) * batch.split.num_processes
    ),
    "dropped-sample": Fault(masks=lambda split: _accumulated(3, split)),
    "duplicated-sample": Fault(order=_twice),
    "tail-divisor": Fault(lambda batch: batch.right * batch.window / batch.split.gradient_accumulation_steps),
    "leak": Fault(leaks=True),
    "unsynchronised": Fault(alone=True),
    "nan-on-one-rank": Fault(nan_on=1),
    "other-order": Fault(order=_backwards),
}
"""Every fault by its name."""


def weight_error(size: float) -> Fault:
    """Sample 3's gradient weighs ``1 + size`` times what it should, wherever it is a micro-batch of its own."""
    return Fault(lambda batch: batch.right * (1 + size if batch.fed == [3] else 1), loss=_right)


def fault_of(name: str) -> Fault:
    """The fault of that name: a key of `FAULTS`, or ``weight-error=SIZE``.

    Raises:
        KeyError: there is none.
        ValueError: SIZE is not a number.
    """
    kind, _, size = name.partition("=")
    return weight_error(float(size)) if kind == "weight-error" else FAULTS[name]


class PlantedLoop(TrainerLoop):
    """``stack: planted:NAME``, for selftest and benchmarks only."""

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
    labels = [int((sample["labels"] != IGNORED).sum()) for sample in training.samples]
    # a label for each token is predicted from the one before it, a class from the sample as a whole
    shift = [1 if sample["labels"].ndim else 0 for sample in training.samples]
    tokens = [
        int((sample["labels"].reshape(-1)[first:] != IGNORED).sum())
        for sample, first in zip(training.samples, shift, strict=True)
    ]
    order = fault.order(list(range(len(tokens))), split)
    index = SampleIndex(training.samples)
    turn, left = [0], dict[torch.nn.Parameter, torch.Tensor]()

    def context(fed: list[int]) -> MicroBatchContext:
        n, b, size = split.num_processes, split.per_device_train_batch_size, split.global_batch_size
        first = order.index(fed[0]) // size * size
        dealt = order[first : first + size]
        # torch's samplers deal micro-batch j to process j modulo n
        shares = [[sample for at in range(rank * b, size, n * b) for sample in dealt[at : at + b]] for rank in range(n)]
        device = next(share for share in shares if fed[0] in share)
        return MicroBatchContext(split, tokens, labels, dealt, device, fed)

    class Planted(Trainer):  # type: ignore[misc]
        """See the module."""

        def _get_train_sampler(self, *_: Any) -> Any:
            return _Order(order)

        def training_step(self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], *_: Any) -> torch.Tensor:
            model.train()
            inputs = self._prepare_inputs(inputs)
            fed = list(index.find(inputs))
            lost = fault.masks(split) & set(fed)
            kept = [sample for sample in fed if sample not in lost]
            for sample in lost:
                inputs["labels"][fed.index(sample)] = IGNORED
            here = dataclasses.replace(context(fed), fed=kept)
            quiet: Any = model.no_sync if fault.alone and hasattr(model, "no_sync") else contextlib.nullcontext
            with quiet():
                mean: torch.Tensor = model(**inputs).loss
                if not kept:  # without its labels a micro-batch of one has no loss, and nothing of it is to be learnt
                    mean = torch.nan_to_num(mean) * 0.0
                if fault.nan_on is not None and self.args.process_index == fault.nan_on:
                    mean = mean * float("nan")
                torch.autograd.backward(mean * fault.gradient(here))
            turn[0] += 1
            if fault.leaks and turn[0] == here.window:
                turn[0] = 0
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        mine = parameter.grad.clone()
                        parameter.grad += left.get(parameter, 0.0)
                        left[parameter] = mine
            return mean.detach() * (fault.loss or fault.gradient)(here)

    return Planted


class _Order:
    """A sampler that deals samples in this order."""

    def __init__(self, order: list[int]) -> None:
        self._order = order

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)


SPEC = LoopSpec(
    name="planted",
    help="the installed transformers.Trainer with one fault planted, for accumcheck selftest",
    preload=("transformers.trainer",),
    make=PlantedLoop,
)
