"""The faults that can be planted in a Trainer: one row each. The default of every field is correct behaviour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from accumcheck.record import Split
from accumcheck.stacks.faulty.context import MicroBatchContext

Coefficient = Callable[[MicroBatchContext], float]

HEAD = "lm_head.weight"
NORM = "model.norm.weight"
"""Two parameters of a Llama."""


def _right(batch: MicroBatchContext) -> float:
    return batch.right


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        gradient: the coefficient of a micro-batch in the loss that is differentiated.
        loss: its coefficient in the logged loss; None: the same as ``gradient``.
        order: the order in which the samples are distributed.
        masks: the samples that lose their labels.
        alone: processes do not reduce their gradients.
        leaks: the gradient of each step contains that of the step before.
        nan_on: the process whose loss is not a number.
        decay: the factor on the accumulated gradient before each micro-batch except the first.
        clips: every micro-batch is clipped, by norm or by value, to a limit below its size.
        spoils: if k > 1, a parameter, and the factor on its gradient.
        lacks: if k > 1, a parameter that the optimizer does not get.
        hooked: a hook of the optimizer multiplies the gradient by k.
        logged_norm: the logged gradient norm is multiplied by k.
        never_clips: the gradient is not clipped, whatever the arguments say.
        schedule_each: the schedule is stepped after every micro-batch.
        decays_each: the optimizer decays the weights after every micro-batch.
        logs_next_rate: the logged learning rate is that of the next step.
    """

    gradient: Coefficient = _right
    loss: Coefficient | None = None
    order: Callable[[list[int], Split], list[int]] = field(default=lambda samples, split: samples)  # noqa: ARG005
    masks: Callable[[Split], set[int]] = field(default=lambda split: set())  # noqa: ARG005
    alone: bool = False
    leaks: bool = False
    nan_on: int | None = None
    decay: float = 1.0
    clips: Literal["norm", "value"] | None = None
    spoils: tuple[str, float] | None = None
    lacks: str | None = None
    hooked: bool = False
    logged_norm: bool = False
    never_clips: bool = False
    schedule_each: bool = False
    decays_each: bool = False
    logs_next_rate: bool = False


def _accumulated(value: int, split: Split) -> set[int]:
    return {value} if split.gradient_accumulation_steps > 1 else set()


def _twice(samples: list[int], split: Split) -> list[int]:
    return [5, *samples[1:]] if split.gradient_accumulation_steps > 1 else samples


def _backwards(samples: list[int], split: Split) -> list[int]:
    return samples[::-1] if split.gradient_accumulation_steps > 1 else samples


FAULTS: Mapping[str, Fault] = {
    "none": Fault(),
    # the scale of the sum
    "times-k": Fault(lambda batch: batch.right * batch.k),
    "over-k": Fault(lambda batch: batch.right / batch.k),
    "times-n": Fault(lambda batch: batch.right * batch.n),
    "over-n": Fault(lambda batch: batch.right / batch.n),
    "over-b": Fault(lambda batch: batch.right / batch.split.per_device_train_batch_size),
    "half": Fault(lambda batch: batch.right / 2),
    "gradient-only": Fault(lambda batch: batch.right * batch.k, loss=_right),
    "log-only": Fault(loss=lambda batch: batch.right * batch.k),
    "logged-norm": Fault(logged_norm=True),
    "hooked": Fault(hooked=True),
    # the divisor
    "mean-of-means": Fault(lambda batch: 1 / batch.k),
    "sum-of-means": Fault(lambda batch: 1.0),  # noqa: ARG005
    "device-mean": Fault(lambda batch: batch.count(batch.fed) / batch.count(batch.device)),
    "unshifted-count": Fault(lambda batch: batch.count(batch.fed) / batch.count_labels(batch.global_batch) * batch.n),
    "unshifted-device": Fault(lambda batch: batch.count(batch.fed) / batch.count_labels(batch.device)),
    "tail-divisor": Fault(lambda batch: batch.right * batch.window / batch.k),
    "count-kept": Fault(lambda batch: batch.count(batch.fed) / batch.count(batch.so_far) * batch.n),
    "later-times-k": Fault(lambda batch: batch.right * (batch.k if batch.step > 1 else 1)),
    # the position in the window
    "last-microbatch": Fault(decay=0.0),
    "first-microbatch": Fault(lambda batch: batch.right * (batch.place == 1), loss=_right),
    "window-geometric": Fault(decay=0.5),
    "window-partial": Fault(lambda batch: batch.right * (batch.place != 2), loss=_right),
    "clip-norm": Fault(clips="norm"),
    "clip-value": Fault(clips="value"),
    # samples and processes
    "dropped-sample": Fault(masks=lambda split: _accumulated(3, split)),
    "duplicated-sample": Fault(order=_twice),
    "other-order": Fault(order=_backwards),
    "unheard-process": Fault(lambda batch: batch.right * (batch.process == 0), loss=_right),
    "unsynchronised": Fault(alone=True),
    "nan-on-one-rank": Fault(nan_on=1),
    "leak": Fault(leaks=True),
    # single parameters
    "parameter-zero": Fault(spoils=(NORM, 0.0)),
    "parameter-twice": Fault(spoils=(HEAD, 2.0)),
    "optimizer-lacks": Fault(lacks=HEAD),
    # the gradient is right, but the step uses it wrongly
    "never-clips": Fault(never_clips=True),
    "schedule-each": Fault(schedule_each=True),
    "decays-each": Fault(decays_each=True),
    "logs-next-rate": Fault(logs_next_rate=True),
}
"""All faults by name."""


def weight_error(size: float) -> Fault:
    """If sample 3 is alone in its micro-batch, the weight of its gradient is ``1 + size`` times the right one."""
    return Fault(lambda batch: batch.right * (1 + size if batch.fed == [3] else 1), loss=_right)


def fault_of(name: str) -> Fault:
    """The fault of that name: a key of `FAULTS`, or ``weight-error=SIZE``.

    Raises:
        KeyError: no fault has that name.
        ValueError: SIZE is not a number.
    """
    kind, _, size = name.partition("=")
    return weight_error(float(size)) if kind == "weight-error" else FAULTS[name]
