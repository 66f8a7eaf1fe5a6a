"""What a window's optimizer steps would do to the weights: their learning rates and decay, and the change itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch

from accumcheck.capture.coordinates import GradientReader, Reading
from accumcheck.capture.gradient import StepGradient, put_together
from accumcheck.capture.schedules import ScheduleWatch, learning_rates_of
from accumcheck.record.observed import Schedule


@dataclass(frozen=True, slots=True)
class Update:
    """Of one window; see `accumcheck.record.StepObservation`. ``change``: None where none was seen."""

    learning_rates: tuple[float, ...] = ()
    weight_decays: tuple[float, ...] = ()
    schedule_steps: tuple[int, ...] = ()
    change: StepGradient | None = None


class UpdateWatch:
    """Collects what is seen of the updates, one window after the other.

    Args:
        schedules: those of the program; None where the learning rates are not its own: then nothing is noted of them.
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
        self._change: dict[int, Reading] = {}
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
        """Steps have changed these parameters, which were ``before``, by their ids."""
        for parameter in parameters:
            position = self._positions.get(id(parameter))
            if position is not None and id(parameter) in before:
                wide = torch.promote_types(parameter.dtype, torch.float32)
                change = parameter.detach().to(wide) - before[id(parameter)].to(wide)
                self._change[position] = self._reader.part(position, change.reshape(-1))

    def take(self) -> Update:
        """The window has ended: all of it, and the next begins."""
        change = put_together(self._reader, self._change, {}, ()) if self._change else None
        found = Update(self._rates, self._decays, self._steps, change)
        self._rates, self._decays, self._change = (), (), {}
        return found
