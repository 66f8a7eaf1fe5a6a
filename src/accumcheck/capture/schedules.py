"""What sets the size of an update: the learning rates that a step uses, and the schedules that they come from."""

from __future__ import annotations

import functools
import inspect
import math
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FrameType
from typing import Any

import torch

from accumcheck.capture.places import place
from accumcheck.record.observed import Schedule

MOVES = ("last_epoch", "_step_count", "_get_lr_called_within_step", "verbose", "_is_initial")
"""The numbers of a torch schedule that change when it is stepped."""
LIBRARIES = ("torch", "transformers", "accelerate", "accumcheck", "functools", "contextlib", "diffusers", "deepspeed")
"""Packages that make schedules for their callers: the line to name is the caller's."""


class ScheduleWatch:
    """Finds every learning-rate schedule that the process makes from now on.

    What it replaces is given to the caller, who puts it in place of ``LRScheduler.__init__``.
    """

    def __init__(self) -> None:
        self._made: list[tuple[weakref.ref[Any], str]] = []

    def finding(self, original: Callable[..., None]) -> Callable[..., None]:
        """A constructor that also notes the schedule and the line that made it."""

        @functools.wraps(original)
        def made(schedule: Any, *args: Any, **kwargs: Any) -> None:
            self._made.append((weakref.ref(schedule), _caller(sys._getframe(1))))
            original(schedule, *args, **kwargs)

        return made

    def _alive(self) -> Iterator[tuple[Any, str]]:
        for reference, where in self._made:
            if (schedule := reference()) is not None:
                yield schedule, where

    def positions(self) -> tuple[int, ...]:
        """How often each schedule has been stepped, in the order in which they were made."""
        return tuple(int(getattr(schedule, "last_epoch", 0) or 0) for schedule, _ in self._alive())

    def schedules(self) -> tuple[Schedule, ...]:
        """What the schedules were made with, in the same order."""
        return tuple(Schedule(type(one).__name__, where, numbers_of(one)) for one, where in self._alive())


def learning_rates_of(optimizer: torch.optim.Optimizer) -> tuple[float, ...]:
    """The learning rate of each parameter group as it stands; NaN where a group has none (Adafactor's own steps)."""
    rates = [group.get("lr") for group in optimizer.param_groups]
    return tuple(math.nan if rate is None else float(rate) for rate in rates)


def numbers_of(schedule: Any) -> dict[str, float]:
    """The numbers that a schedule was made with, by name: its attributes, and what its functions were given.

    A function of torch's ``LambdaLR`` has its numbers in a partial's keywords (as those of transformers have), in its
    closure, in its defaults, or in the module that it was written in.
    """
    found = {name: value for name, value in vars(schedule).items() if name not in MOVES and not name.startswith("_")}
    for function in getattr(schedule, "lr_lambdas", None) or ():
        found.update(_given(function))
    return {name: float(value) for name, value in found.items() if _is_number(value)}


def _given(function: Any) -> Mapping[str, Any]:
    if isinstance(function, functools.partial):
        return {**_given(function.func), **function.keywords}
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return dict(getattr(function, "__dict__", {}))
    variables = inspect.getclosurevars(function)
    return {**variables.globals, **variables.nonlocals}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _caller(frame: FrameType | None) -> str:
    """The innermost line outside of libraries; if all lines are in libraries, the innermost one."""
    first = frame
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] not in LIBRARIES:
            return place(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return "" if first is None else place(first.f_code.co_filename, first.f_lineno)
