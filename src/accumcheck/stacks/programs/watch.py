"""Find the model that a program trains, and be there when its training begins and ends.

A program that ends in a transformers Trainer is watched at its Trainer: every one, TRL's and LLaMA-Factory's too, goes
through ``Trainer.__init__`` and ``training_step``. One with a loop of its own is watched from its optimizer on: the
model is what holds the parameters that the optimizer is given.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from transformers import Trainer

from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.trainer_log import TrainerLog


class FinishedError(BaseException):
    """What was to be seen has been seen: the program need not go on. No ``except Exception`` of its own catches it."""


class Spectator(Protocol):
    """Who watches."""

    def begin(self, model: torch.nn.Module, trainer: Any) -> None:
        """Training begins: with this model (not its wrappers), by this Trainer or by a loop of the program's (None)."""

    def fed(self, batch: Mapping[str, Any]) -> None:
        """One micro-batch begins."""

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """The program's user is told of a step, counted from 1."""


def watch(spectator: Spectator, patches: Patches) -> None:
    """Watch whatever is trained in this process until the patches are undone."""
    _Watch(spectator, patches).install()


class _Watch:
    """Waits for the first training of the process, by a Trainer or by a loop."""

    def __init__(self, spectator: Spectator, patches: Patches) -> None:
        self._spectator = spectator
        self._patches = patches
        self._has_trainer = False
        self._begun = False

    def install(self) -> None:
        def finding_trainers(original: Any) -> Any:
            @functools.wraps(original)
            def made(trainer: Any, *args: Any, **kwargs: Any) -> None:
                self._has_trainer = True
                original(trainer, *args, **kwargs)
                self._watch_trainer(trainer)

            return made

        def finding_loops(original: Any) -> Any:
            @functools.wraps(original)
            def made(optimizer: Any, *args: Any, **kwargs: Any) -> None:
                original(optimizer, *args, **kwargs)
                if not self._has_trainer:
                    self._watch_loop(optimizer)

            return made

        self._patches.wrap(Seam.TRAINER, Trainer, finding_trainers)
        self._patches.wrap(Seam.OPTIMIZER, torch.optim.Optimizer, finding_loops)

    def _watch_trainer(self, trainer: Any) -> None:
        # the program ends with its training: it is not asked to save or evaluate
        trainer.add_callback(TrainerLog(self._spectator.told, _finish))

        def feeding(step: Any) -> Any:
            @functools.wraps(step)
            def training_step(model: torch.nn.Module, inputs: Any, *rest: Any, **more: Any) -> Any:
                self._feed(trainer.model, trainer, inputs)
                return step(model, inputs, *rest, **more)

            return training_step

        self._patches.wrap(Seam.TRAINING_STEP, trainer, feeding)

    def _watch_loop(self, optimizer: torch.optim.Optimizer) -> None:
        model = _model_of(optimizer)
        if model is None:
            return

        def begins(module: torch.nn.Module, _: Any) -> None:
            # of a forward, the outermost module's begins first: FSDP has not gathered anything yet
            if module.training and torch.is_grad_enabled() and any(part is model for part in module.modules()):
                watching.remove()
                if not self._has_trainer:
                    self._begin(model, None)

        def before(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not self._has_trainer and module.training and torch.is_grad_enabled():
                self._feed(module, None, args[0] if args and isinstance(args[0], Mapping) else kwargs)

        watching = torch.nn.modules.module.register_module_forward_pre_hook(begins)
        self._patches.at_end(watching.remove)
        self._patches.at_end(model.register_forward_pre_hook(before, with_kwargs=True).remove)

    def _begin(self, model: torch.nn.Module, trainer: Any) -> None:
        if not self._begun:
            self._begun = True
            self._spectator.begin(model, trainer)

    def _feed(self, model: torch.nn.Module, trainer: Any, batch: Mapping[str, Any]) -> None:
        self._begin(model, trainer)
        self._spectator.fed(batch)


def _model_of(optimizer: torch.optim.Optimizer) -> torch.nn.Module | None:
    """The smallest module that has all that the optimizer trains: torch does not say whose parameters they are."""
    trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    holders = []
    for found in gc.get_objects():
        if isinstance(found, torch.nn.Module):
            held = {id(parameter) for parameter in found.parameters()}
            if trained <= held:
                holders.append((len(held), len(list(found.modules())), found))
    # of a wrapper and what it wraps, which hold the same, the model is what has fewer modules but a loss to return
    holders.sort(key=lambda holder: holder[:2])
    with_loss = [module for _, _, module in holders if hasattr(module, "config")]
    return with_loss[0] if with_loss else (holders[0][2] if holders else None)


def _finish() -> None:
    raise FinishedError
