"""What a window's optimizer steps would do to the weights: their learning rates and decay, and the change itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader, norm_of
from accumcheck.capture.schedules import ScheduleWatch, learning_rates_of
from accumcheck.record.observed import HeldWeights, Schedule

Entries = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """Of the weights: its ``entries``, ``[coordinates]``, and the norm of all of it."""

    entries: Entries
    norm: float


@dataclass(frozen=True, slots=True)
class Update:
    """The update of one window, see `accumcheck.record.StepObservation`. ``change``: None if no change was seen."""

    learning_rates: tuple[float, ...] = ()
    weight_decays: tuple[float, ...] = ()
    schedule_steps: tuple[int, ...] = ()
    schedule_steps_after: tuple[int, ...] = ()
    change: Change | None = None


class UpdateWatch:
    """Collects what is seen of the updates, one window after the other.

    Args:
        schedules: the program's schedules; None if the learning rates are not its own, and so are not recorded.
        reader: which entries of the weights' change are kept.
        positions: of parameters in the reader, by their ``id``.
    """

    def __init__(self, schedules: ScheduleWatch | None, reader: GradientReader, positions: Mapping[int, int]) -> None:
        self._schedules = schedules
        self._reader = reader
        self._positions = positions
        self._rates: tuple[float, ...] = ()
        self._decays: tuple[float, ...] = ()
        self._steps: tuple[int, ...] = ()
        self._changed: dict[int, tuple[Entries, float]] = {}
        self._held: dict[int, tuple[Entries, float]] = {}
        self.made: tuple[Schedule, ...] = ()
        """The program's schedules, as they were at the first step: when it has ended, so have they."""

    def step_begins(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer that holds watched parameters is about to step."""
        if self._schedules is None:
            return
        if not self._rates:
            self._steps = self._schedules.positions()
            self.made = self.made or self._schedules.schedules()
        self._rates += learning_rates_of(optimizer)
        self._decays += tuple(float(group.get("weight_decay", 0.0)) for group in optimizer.param_groups)

    def changed(self, parameters: Iterable[torch.Tensor], before: Mapping[int, torch.Tensor]) -> None:
        """Steps have changed these parameters, which were ``before``, by their ids; one at a time is compared.

        Changes of one window add up.
        """
        for parameter in parameters:
            position = self._positions.get(id(parameter))
            if position is None or id(parameter) not in before:
                continue
            now = parameter.detach().reshape(-1)
            was = before[id(parameter)].to(parameter.device).reshape(-1)
            entries = self._reader.entries(position, was)  # as wide as the difference
            change = self._reader.entries(position, now) - entries, norm_of(now, was)
            known = self._changed.get(position)
            self._changed[position] = change if known is None else _sum(known, change)
            if position not in self._held:
                self._held[position] = entries, torch.finfo(parameter.dtype).eps

    def held(self) -> HeldWeights | None:
        """The old values of the weights that steps changed; None if no weight changed."""
        if not self._held:
            return None
        values = {position: entries for position, (entries, _) in self._held.items()}
        units = {position: np.full_like(entries, unit) for position, (entries, unit) in self._held.items()}
        return HeldWeights(self._put_together(values), self._put_together(units))

    def take(self) -> Update:
        """The window has ended: all of it, and the next begins."""
        change = None
        if self._changed:
            entries = self._put_together({position: entries for position, (entries, _) in self._changed.items()})
            change = Change(entries, math.sqrt(sum(norm**2 for _, norm in self._changed.values())))
        after = self._schedules.positions() if self._schedules is not None else ()
        found = Update(self._rates, self._decays, self._steps, after, change)
        self._rates, self._decays, self._changed = (), (), {}
        return found

    def _put_together(self, parts: Mapping[int, Entries]) -> Entries:
        """``[coordinates]``; zeros where there is no part."""
        sizes = enumerate(self._reader.coordinates.sizes)
        every = [parts.get(position, np.zeros(size, dtype=np.float32)) for position, size in sizes]
        return np.concatenate(every) if every else np.zeros(0, dtype=np.float32)


def _sum(first: tuple[Entries, float], second: tuple[Entries, float]) -> tuple[Entries, float]:
    """Two changes of one parameter: the norm's mixed term is estimated from the kept entries, exact if all are kept."""
    (one, norm), (other, more) = first, second
    kept = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    cosine = float(one.astype(np.float64) @ other.astype(np.float64)) / kept if kept > 0 else 0.0
    return one + other, math.sqrt(max(norm**2 + more**2 + 2 * cosine * norm * more, 0.0))
