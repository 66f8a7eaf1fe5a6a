"""How often optimizer and schedule step while one optimizer step of a training is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from accumcheck.capture.schedules import learning_rates_of, numbers_of

LENGTHS = ("num_training_steps", "total_steps", "T_max")
"""How the schedules of transformers and torch call the number of steps that they are made for."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What one optimizer step of the training was seen to do.

    ``optimizer``: how often the optimizer stepped, None where that cannot be watched; ``schedule``: how often the
    learning-rate schedule did, ``kind``: its class, ``made_for``: the steps that it was made for, None where it names
    none; ``moved``: whether a learning rate changed.
    """

    optimizer: int | None
    schedule: int
    kind: str
    made_for: float | None
    moved: bool


class PaceWatch:
    """Watches from `__init__` to `stop`; nothing of the training is changed.

    Args:
        optimizer: Trainer's, wrapped by accelerate or not; None: none is known.
        schedule: Trainer's, wrapped by accelerate or not; None: none is known.
    """

    def __init__(self, optimizer: Any, schedule: Any) -> None:
        inner = getattr(optimizer, "optimizer", optimizer)
        self._optimizer = inner if isinstance(inner, torch.optim.Optimizer) else None
        self._schedule = getattr(schedule, "scheduler", schedule)
        self._steps = 0
        self._begun, self._rates = self._position(), self._learning_rates()
        self._handle = None if self._optimizer is None else self._optimizer.register_step_post_hook(self._stepped)

    def stop(self) -> Pace:
        """Watch no more."""
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
