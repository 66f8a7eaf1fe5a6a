"""Whether steps, schedule and epochs are those that the same training would have in one process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accumcheck.guard.pace import Pace
from accumcheck.record import Finding, Split

NEAR = 0.02
"""How near to k or n times another a number of steps must be: epochs end with short windows."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A finding, and whether it is certain enough to end a training for."""

    finding: Finding
    stops: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: ``samples`` of the data, ``batches`` that each process is fed, and ``fed`` rows of one update."""

    samples: int
    batches: int
    fed: int


def epoch_of(loader: Any, args: Any, fed: int) -> Epoch | None:
    """The epoch of a data loader; None where its length is not known, or processes share the rows that they are fed.

    Args:
        loader: Trainer's.
        args: Trainer's arguments.
        fed: rows that one update was fed, over all processes.
    """
    shared = getattr(args, "parallelism_config", None) is not None or (getattr(args, "tp_size", 0) or 0) > 1
    try:
        return None if shared else Epoch(len(loader.dataset), len(loader), fed)
    except (TypeError, AttributeError, NotImplementedError):
        return None


def wrong_pace(pace: Pace, split: Split, total: int) -> Iterator[Wrong]:
    """What of one optimizer step is not as in one process.

    Args:
        pace: what was seen of the step.
        split: with the accumulation steps and the processes of the training.
        total: optimizer steps of the whole training.
    """
    k = split.gradient_accumulation_steps
    if pace.optimizer is not None and pace.optimizer > 1:
        after_each = pace.optimizer == k
        yield Wrong(_stepped_often(pace.optimizer, split, after_each=after_each), after_each)
    speed = _speed(pace, total)
    if not pace.moved or pace.schedule < 1 or _is(speed, 1):
        return
    name = _name(speed, split)
    if name or pace.schedule > 1:
        certain = pace.schedule > 1 and pace.made_for is not None
        yield Wrong(_other_speed(name or "schedule-differs", pace, speed, split, total), certain)


def wrong_epoch(epoch: Epoch, split: Split) -> Iterator[Wrong]:
    """Whether the updates of an epoch are n times as many, or as few, as the data give.

    Nothing is said where an update is fed another number of rows than its split says: of pairs, or of packed samples.
    """
    n, size = split.num_processes, split.global_batch_size
    made, due = math.ceil(epoch.batches / split.gradient_accumulation_steps), epoch.samples / size
    if n == 1 or epoch.fed != size or abs(made - due) <= 1:
        return
    times = next((factor for factor in (n, 1 / n) if abs(made - factor * due) <= max(1, factor)), None)
    if times is None:
        return
    often = f"{n} times as many" if times > 1 else f"only 1/{n} of them"
    why = "Every process is fed all of the data" if times > 1 else "The data are divided over the processes twice"
    yield Wrong(
        Finding(
            id="steps-differ",
            severity="fail",
            splits=(str(split),),
            summary=f"steps-differ, {split}: an epoch of {epoch.samples} samples makes {made} updates of {size} "
            f"samples each; in one process it makes {math.ceil(due)}: {often}",
            explanation=f"{why}.",
            consequence="Epochs, schedule and warm-up are longer or shorter than the same data give in one process.",
            advice="Let one place alone divide the data: give every process the whole dataset, and let accelerate "
            "prepare the data loader (or use one DistributedSampler).",
        ),
        stops=True,
    )


def _speed(pace: Pace, total: int) -> float:
    """How fast the schedule runs; 1: as fast as a schedule that is made for the updates, and stepped at each."""
    return pace.schedule * total / pace.made_for if pace.made_for and total > 0 else float(pace.schedule)


def _is(speed: float, factor: float) -> bool:
    return math.isclose(speed, factor, rel_tol=NEAR)


def _name(speed: float, split: Split) -> str:
    """Of what the speed, or the slowness, is: empty where it is neither k nor n."""
    k, n = split.gradient_accumulation_steps, split.num_processes
    factors = {"schedule-times-k": k, "schedule-times-n": n}
    return next((name for name, by in factors.items() if by > 1 and (_is(speed, by) or _is(speed, 1 / by))), "")


def _stepped_often(count: int, split: Split, *, after_each: bool) -> Finding:
    return Finding(
        id="step-per-microbatch" if after_each else "steps-differ",
        severity="fail",
        splits=(str(split),),
        summary=f"{'step-per-microbatch' if after_each else 'steps-differ'}, {split}: the optimizer stepped {count} "
        "times in what Trainer counts as one step",
        explanation="Each step but the first is made with a part of the gradient, or with one that was applied before.",
        consequence="There are more updates than the same data give in one process, each of a smaller batch.",
        advice="Leave optimizer.step() to Trainer, or step once every gradient_accumulation_steps micro-batches.",
    )


def _other_speed(name: str, pace: Pace, speed: float, split: Split, total: int) -> Finding:
    stepped = "once" if pace.schedule == 1 else f"{pace.schedule} times"
    made = "" if pace.made_for is None else f" and made for {pace.made_for:g} steps"
    return Finding(
        id=name,
        severity="fail",
        splits=(str(split),),
        summary=f"{name}, {split}: {pace.kind} is stepped {stepped} for each optimizer step{made}, in a training of "
        f"{total} optimizer steps: it runs {speed:.3g} times as fast as in one process without accumulation",
        explanation="The learning rate is not that of the same training in one process, from the first steps on."
        if speed > 1
        else "The training ends before the schedule does: the learning rate never falls as far as it should.",
        consequence="The learning rate falls too early or too late: the same data are trained with other learning "
        "rates.",
        advice="Step the schedule once for each optimizer step, and make it for the number of optimizer steps "
        "(trainer.state.max_steps), neither of micro-batches nor of micro-batches over all processes.",
    )
