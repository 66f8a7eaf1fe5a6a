"""Check that steps, schedule and epochs are those of the same training in one process."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from accumcheck.guard.pace import Pace
from accumcheck.record import Finding, Split

NEAR = 0.02
"""The tolerance for a ratio of step counts to be k or n. Epochs end with short windows, so it is not exact."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A finding, and whether it is certain enough to stop a training."""

    finding: Finding
    stops: bool


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch: ``samples`` in the data, ``batches`` of each process, and ``fed`` rows of one update."""

    samples: int
    batches: int
    fed: int


def epoch_of(loader: Any, args: Any, fed: int) -> Epoch | None:
    """The epoch of a data loader; None if its length is not known, or if processes share rows.

    Args:
        loader: Trainer's data loader.
        args: Trainer's arguments.
        fed: the rows of one update, over all processes.
    """
    shared = getattr(args, "parallelism_config", None) is not None or (getattr(args, "tp_size", 0) or 0) > 1
    try:
        return None if shared else Epoch(len(loader.dataset), len(loader), fed)
    except (TypeError, AttributeError, NotImplementedError):
        return None


def wrong_pace(pace: Pace, split: Split, total: int) -> Iterator[Wrong]:
    """Findings for an optimizer step that differs from the same step in one process.

    Args:
        pace: the observations of the step.
        split: the split of the training.
        total: the optimizer steps of the whole training.
    """
    k = split.gradient_accumulation_steps
    if pace.optimizer is not None and pace.optimizer > 1:
        after_each = pace.optimizer == k
        yield Wrong(_stepped_often(pace.optimizer, split, after_each=after_each), after_each)
    speed = _speed(pace, total)
    if not pace.moved or pace.schedule < 1 or _is_near(speed, 1):
        return
    name = _name(speed, split)
    if name or pace.schedule > 1:
        certain = pace.schedule > 1 and pace.made_for is not None
        yield Wrong(_other_speed(name or "schedule-differs", pace, speed, split, total), certain)


def wrong_epoch(epoch: Epoch, split: Split) -> Iterator[Wrong]:
    """A finding if an epoch has n times too many, or n times too few, updates for its data.

    There is no finding if an update has another number of rows than its split, as with pairs or packed samples.
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
            advice="Divide the data in one place only: give every process the whole dataset, and let accelerate "
            "prepare the data loader (or use one DistributedSampler).",
        ),
        stops=True,
    )


def _speed(pace: Pace, total: int) -> float:
    """The speed of the schedule; 1: the speed of a schedule made for all updates and stepped once for each."""
    return pace.schedule * total / pace.made_for if pace.made_for and total > 0 else float(pace.schedule)


def _is_near(speed: float, factor: float) -> bool:
    return math.isclose(speed, factor, rel_tol=NEAR)


def _name(speed: float, split: Split) -> str:
    """The factor by which the schedule is too fast or too slow: k, n, or empty if it is neither."""
    k, n = split.gradient_accumulation_steps, split.num_processes
    factors = {"schedule-times-k": k, "schedule-times-n": n}
    return next(
        (name for name, by in factors.items() if by > 1 and (_is_near(speed, by) or _is_near(speed, 1 / by))), ""
    )


def _stepped_often(count: int, split: Split, *, after_each: bool) -> Finding:
    return Finding(
        id="step-per-microbatch" if after_each else "steps-differ",
        severity="fail",
        splits=(str(split),),
        summary=f"{'step-per-microbatch' if after_each else 'steps-differ'}, {split}: the optimizer stepped {count} "
        "times in what Trainer counts as one step",
        explanation="Every step except the first uses a part of the gradient, or one that was already applied.",
        consequence="There are more updates than with the same data in one process, each with a smaller batch.",
        advice="Leave optimizer.step() to Trainer, or call it once every gradient_accumulation_steps micro-batches.",
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
        explanation="From the first steps on, the learning rate differs from that of the same training in one process."
        if speed > 1
        else "The training ends before the schedule does: the learning rate never falls as far as it should.",
        consequence="The learning rate falls too early or too late: the same data are trained with different learning "
        "rates.",
        advice="Step the schedule once for each optimizer step, and give it the number of optimizer steps "
        "(trainer.state.max_steps), not the number of micro-batches of one or all processes.",
    )
