"""Run a loop with the user's own optimizer steps, although every step starts from the same weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.schedules import ScheduleWatch
from accumcheck.stacks.programs.same_weights import check_weights_held, sums_of
from accumcheck.stacks.updates.arguments import is_sharding
from accumcheck.stacks.updates.hold_still import HoldStill

if TYPE_CHECKING:
    from accumcheck.capture.observer import Observer
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.protocol import Training


def runs_updates(check: CheckConfig) -> bool:
    """Whether a loop makes the user's own updates: if they are requested and can be fully observed."""
    return check.update == "auto" and not is_sharding(check.training_arguments)


@contextlib.contextmanager
def real_updates(training: Training, observer: Observer, patches: Patches) -> Iterator[None]:
    """Watch a loop train, and hold its weights still if it makes real updates.

    Args:
        training: the task of the loop.
        observer: the observer to start.
        patches: the caller undoes them.

    Raises:
        RefusedError: at the end, if something other than an optimizer step has changed the weights.
    """
    if not training.updates:
        observer.watch(training.model, seed=training.check.seed)
        yield
        return
    begun = sums_of(training.model)
    schedules = ScheduleWatch()
    patches.wrap(Seam.SCHEDULE, torch.optim.lr_scheduler.LRScheduler, schedules.finding)
    observer.watch(training.model, seed=training.check.seed, schedules=schedules)
    HoldStill(patches, observer.changed)
    yield
    if all(math.isfinite(step.grad_norm) for step in observer.steps):  # else NaN, reported elsewhere
        check_weights_held(begun, sums_of(training.model))
