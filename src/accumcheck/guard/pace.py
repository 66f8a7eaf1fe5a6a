"""Count how often the optimizer and the schedule step during one optimizer step of a training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from accumcheck.capture.schedules import learning_rates_of, numbers_of

LENGTHS = ("num_training_steps", "total_steps", "T_max")
"""The names that schedules of transformers and torch use for their number of steps."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The observations of one optimizer step of the training.

    ``optimizer``: how often the optimizer stepped; None if that cannot be watched; ``schedule``: how often the
    learning-rate schedule stepped; ``kind``: the class of the schedule; ``made_for``: its number of steps; None if it
    has none; ``moved``: whether a learning rate changed.
    """

    optimizer: int | None
    schedule: int
    kind: str
    made_for: float | None
    moved: bool


class PaceWatch:
    """Watches from `__init__` to `stop`. The training is not changed.

    Args:
        optimizer: Trainer's optimizer, wrapped by accelerate or not; None: not known.
        schedule: Trainer's schedule, wrapped by accelerate or not; None: not known.
    """

    def __init__(self, optimizer: Any, schedule: Any) -> None:
        inner = getattr(optimizer, "optimizer", optimizer)
        self._optimizer = inner if isinstance(inner, torch.optim.Optimizer) else None
        self._schedule = getattr(schedule, "scheduler", schedule)
        self._steps = 0
        self._begun, self._rates = self._position(), self._learning_rates()
        self._handle = None if self._optimizer is None else self._optimizer.register_step_post_hook(self._stepped)

    def stop(self) -> Pace:
        """Stop watching, and return the observations."""
        if self._handle is not None:
            self._handle.remove()
        lengths = numbers_of(self._schedule) if self._schedule is not None else {}
        return Pace(
            optimizer=None if self._optimizer is None else self._steps,
            schedule=self._position() - self._begun,
            kind=type(self._schedule).__name__,
            made_for=next((lengths[name] for name in LENGTHS if name in lengths), None),
            moved=self._learning_rates() != self._rates,
        )

    def _stepped(self, *_: Any) -> None:
        self._steps += 1

    def _position(self) -> int:
        return int(getattr(self._schedule, "last_epoch", 0) or 0)

    def _learning_rates(self) -> tuple[float, ...]:
        return () if self._optimizer is None else learning_rates_of(self._optimizer)
