"""Find the model that a program trains, and call a spectator when its training begins and ends.

A program with a transformers Trainer is watched at its Trainer: every Trainer, also TRL's and LLaMA-Factory's, goes
through ``Trainer.__init__`` and ``training_step``. A program with its own loop is watched from its optimizers on. Its
model is the module that holds the parameters of the optimizers. Its inputs are those of the modules that the loop
calls.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from transformers import Trainer

from accumcheck.capture.applied import StepWatch, parameters_in
from accumcheck.capture.calls import CallWatch, holders_of, outermost_of
from accumcheck.capture.losses import TOKEN_COUNT
from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.schedules import ScheduleWatch
from accumcheck.capture.shards import is_sharded
from accumcheck.capture.trainer_log import TrainerLog
from accumcheck.stacks.programs.refused import check_kind


class FinishedError(BaseException):
    """Ends the program when everything has been observed. A program's own ``except Exception`` does not catch it."""


class Spectator(Protocol):
    """The receiver of a watch's events."""

    def begin(self, model: torch.nn.Module, trainer: Any) -> None:
        """Training begins, with this model (without wrappers) and this Trainer; None: the program's own loop."""

    def fed(self, batch: Mapping[str, Any]) -> None:
        """A Trainer begins a micro-batch."""

    def called(self, module: torch.nn.Module, batch: Mapping[str, Any]) -> None:
        """A loop calls a module that it trains; ``batch``: the module's inputs by name, if they are data."""

    def returned(self, output: Any) -> None:
        """The last call of a module has returned this."""

    def evaluated(self) -> None:
        """A loop calls a module that it trains, without recording gradients."""

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """The program's log has reported a step, counted from 1."""

    def over(self) -> None:
        """A Trainer's training has ended."""

    def another(self) -> None:
        """Another Trainer's training begins, after the first has ended."""


class Watch:
    """Waits for the first training in this process, by a Trainer or by a loop.

    Args:
        spectator: its methods are called with the events.
        patches: undo the replacements.
    """

    def __init__(self, spectator: Spectator, patches: Patches) -> None:
        self._spectator = spectator
        self._patches = patches
        self._trainers: list[Any] = []
        self._begun = False
        self._first: Any = None
        self.holds: Callable[[Any], None] = lambda _: None
        """Called with every micro-batch that a Trainer trains; to be set by the caller."""
        self.count: Any = None
        """The token count that a Trainer passes with the current micro-batch."""
        self._optimizers: list[weakref.ref[torch.optim.Optimizer]] = []
        self._calls = CallWatch(self._called, self._returned, self._evaluated)
        self.steps = StepWatch()
        self.schedules = ScheduleWatch()
        patches.at_end(self.steps.stop)
        patches.at_end(self._calls.stop)
        patches.wrap(Seam.TRAINER, Trainer, self._finding_trainers)
        patches.wrap(Seam.OPTIMIZER, torch.optim.Optimizer, self._finding_loops)
        patches.wrap(Seam.SCHEDULE, torch.optim.lr_scheduler.LRScheduler, self.schedules.finding)

    def optimizers(self) -> Iterable[torch.optim.Optimizer]:
        """The optimizers that the program has made so far and still has."""
        return [one for one in (reference() for reference in self._optimizers) if one is not None]

    def _finding_trainers(self, original: Any) -> Any:
        @functools.wraps(original)
        def made(trainer: Any, *args: Any, **kwargs: Any) -> None:
            check_kind(type(trainer))
            self._trainers.append(trainer)
            original(trainer, *args, **kwargs)
            self._watch_trainer(trainer)

        return made

    def _finding_loops(self, original: Any) -> Any:
        @functools.wraps(original)
        def made(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            self._optimizers.append(weakref.ref(optimizer))
            if not self._trainers:
                self._calls.watch(holders_of(parameters_in(optimizer)))

        return made

    def _watch_trainer(self, trainer: Any) -> None:
        def told(step: int, logs: Mapping[str, Any]) -> None:
            if self._first is trainer:
                self._spectator.told(step, logs)

        def over() -> None:
            if self._first is trainer:
                self._spectator.over()

        trainer.add_callback(TrainerLog(told, over))

        def feeding(step: Any) -> Any:
            @functools.wraps(step)
            def training_step(model: torch.nn.Module, inputs: Any, *rest: Any, **more: Any) -> Any:
                self._begin(trainer.model, trainer)
                self.holds(inputs)
                self.count = rest[0] if rest else more.get(TOKEN_COUNT)
                if self._first is trainer:
                    self._spectator.fed(inputs)
                else:
                    self._spectator.another()
                return step(model, inputs, *rest, **more)

            return training_step

        self._patches.wrap(Seam.TRAINING_STEP, trainer, feeding)

    def _called(self, module: torch.nn.Module, batch: dict[str, Any]) -> None:
        if self._trainers:
            return
        if not self._begun:
            self._begin(_trained(module, list(self.optimizers())), None)
        self._spectator.called(module, {name: value for name, value in batch.items() if not _is_computed(value)})

    def _returned(self, _: torch.nn.Module, output: Any) -> None:
        if self._begun and not self._trainers:
            self._spectator.returned(output)

    def _evaluated(self) -> None:
        if self._begun and not self._trainers:
            self._spectator.evaluated()

    def _begin(self, model: torch.nn.Module, trainer: Any) -> None:
        if not self._begun:
            self._begun, self._first = True, trainer
            self._spectator.begin(model, trainer)


def _is_computed(value: Any) -> bool:
    """Whether a module's input was computed by other modules. Data may require a gradient too."""
    return isinstance(value, torch.Tensor) and (value.grad_fn is not None or isinstance(value, torch.nn.Parameter))


def _trained(called: torch.nn.Module, optimizers: list[torch.optim.Optimizer]) -> torch.nn.Module:
    """All trained parameters as one module: the called one if it has them all, else the outermost modules that do.

    If there are several modules, each is named after its class.
    """
    parameters = {id(one): one for optimizer in optimizers for one in parameters_in(optimizer)}
    if is_sharded(called) or parameters.keys() <= {id(one) for one in called.parameters()}:
        return called
    own = {id(one) for one in called.parameters()}
    parts = [called]
    for module in outermost_of(holders_of(parameters.values())):
        held = {id(one) for one in module.parameters()}
        if held >= own and parameters.keys() <= held:
            return module
        if not held <= own and module is not called:
            parts.append(module)
    if len(parts) == 1:
        return called
    named: dict[str, torch.nn.Module] = {}
    for module in parts:
        name = type(module).__name__.lower()
        named[name if name not in named else f"{name}_{len(named)}"] = module
    return torch.nn.ModuleDict(named)
