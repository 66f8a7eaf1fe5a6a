"""What is watched inside a worker: at torch's seams, so that any stack can be watched and none is changed.

Forward hooks see what the model was fed and the loss that it returned, a hook before ``Optimizer.step`` sees the
gradient that is about to be applied, and the stack's own log says what its user is told. Of DeepSpeed's engine, which
has no such hook, ``step`` is replaced (`accumcheck.capture.patches`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from accumcheck.capture.belief import belief_of
from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.losses import LossWatch, Passage
from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.shards import is_sharded
from accumcheck.capture.shards.asked import check_engine_was_made, check_shards_were_made
from accumcheck.capture.shards.zero import around_steps, check_engine, check_norm, engine_of, loss_scale_of
from accumcheck.errors import WorkloadError
from accumcheck.record import MicroBatch
from accumcheck.runfolder.of_split import write_belief
from accumcheck.runfolder.steps import SeenStep, write_gradient, write_steps, write_unapplied


class FindsRows(Protocol):
    """Knows rows again."""

    def find(self, batch: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
        """A number for every row of a batch."""


class Observer:
    """Collects one process's view of the optimizer steps of one split and writes it into ``folder``.

    The files are those of `accumcheck.runfolder.steps`, and where the stack has a Trainer, what it believes of its
    model (`accumcheck.runfolder.of_split`).
    """

    def __init__(
        self,
        folder: Path,
        process: int,
        samples: FindsRows,
        on_step: Callable[[int], None],
    ) -> None:
        self._folder = folder
        self._process = process
        self._samples = samples
        self._on_step = on_step
        self._model: torch.nn.Module | None = None
        self._reader: GradientReader | None = None
        self._fed: list[tuple[int, ...]] = []
        self._losses = LossWatch()
        self._rows_are_told = False
        self._trainer: Any = None
        self._steps: list[SeenStep] = []
        self._engine: Any = None
        self._patches = Patches({Seam.ENGINE_STEP})

    def watch(self, model: torch.nn.Module, *, seed: int, rows_are_told: bool = False) -> None:
        """Start watching this model (the bare one, before any wrapper) and every optimizer of the process.

        ``rows_are_told``: what the model is fed is told by `feed`, and not read off its forward.
        """
        self._rows_are_told = rows_are_told
        self._model = model
        self._reader = GradientReader.of(model, seed=seed)
        for hook in (
            model.register_forward_pre_hook(self._before_forward, with_kwargs=True),
            model.register_forward_hook(self._after_forward),
            register_optimizer_step_pre_hook(self._before_optimizer_step),
        ):
            self._patches.at_end(hook.remove)

    def feed(self, batch: Mapping[str, Any]) -> None:
        """Take the rows of one micro-batch, however often the model is called for it."""
        self._fed.append(self._samples.find(batch))

    def stop(self) -> None:
        """Stop watching: what the process does from here on is not recorded."""
        self._patches.undo()

    def trained_by(self, trainer: Any) -> None:
        """Take the Trainer that the stack trains with, to look at what it believes of its model."""
        self._trainer = trainer

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """Take what the stack tells its user about optimizer step ``step``, counted from 1 as stacks do."""
        if "loss" not in logs or not 1 <= step <= len(self._steps):
            return
        seen = replace(self._steps[step - 1], loss=float(logs["loss"]))
        if logs.get("grad_norm") is not None:
            seen = replace(seen, logged_grad_norm=float(logs["grad_norm"]))
        self._steps[step - 1] = seen

    @property
    def steps(self) -> tuple[SeenStep, ...]:
        """The steps so far."""
        return tuple(self._steps)

    def write(self) -> None:
        """Write the steps; the gradients were written as they came."""
        write_unapplied(self._folder, self._process, [MicroBatch(self._process, rows) for rows in self._fed])
        write_steps(self._folder, self._process, self._steps)
        if self._trainer is not None and self._process == 0:
            with contextlib.suppress(Exception):  # a user's own Trainer may be anything: what is not seen is not said
                write_belief(self._folder, belief_of(self._trainer))

    def _before_forward(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if module.training and torch.is_grad_enabled():
            if not self._steps and self._engine is None:
                self._look_for_engine(module)
            batch = dict(args[0]) if args and isinstance(args[0], Mapping) else kwargs
            if not self._rows_are_told:
                self._fed.append(self._samples.find(batch))
            self._losses.fed(kwargs)

    def _after_forward(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:  # noqa: ARG002
        if module.training and torch.is_grad_enabled():
            self._losses.returned(output)

    def _look_for_engine(self, model: torch.nn.Module) -> None:
        """Watch the step of DeepSpeed's engine: the torch optimizer in it is only given buffers of the engine's."""
        self._engine = engine_of(model)
        if self._engine is not None:
            check_engine(self._engine)
            around_steps(self._patches, self._engine, self._before_engine_step, self._after_engine_step)

    def _before_engine_step(self) -> None:
        assert self._model is not None
        assert self._reader is not None
        self._keep(*self._reader.read(self._model), loss_scale=loss_scale_of(self._engine))

    def _after_engine_step(self) -> None:
        check_norm(self._engine, self._steps[-1].grad_norm)

    def _before_optimizer_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """Read the gradient. All processes are here together, so that what they have in pieces can be gathered."""
        if self._engine is not None:
            return
        assert self._model is not None
        assert self._reader is not None
        if not self._steps:
            arguments = getattr(self._trainer, "args", None)
            check_engine_was_made(arguments)
            check_shards_were_made(is_sharded(self._model), arguments)
        entries, norm = self._reader.read(self._model)
        if norm == 0 and not _steps(optimizer, self._model):
            raise WorkloadError(
                f"the optimizer ({type(optimizer).__name__}) steps other tensors than the model's parameters, which "
                "have no gradient: the gradient that is applied is not seen; train without what keeps copies of its own"
            )
        self._keep(entries, norm)

    def _keep(self, entries: npt.NDArray[np.floating[Any]], norm: float, loss_scale: float = 1.0) -> None:
        """Write one step down: the gradient that was read, and what was fed for it."""
        step = len(self._steps)
        write_gradient(self._folder, self._process, step, entries)
        passages = self._losses.take(loss_scale)
        if len(passages) != len(self._fed):  # the model was called more than once for a micro-batch
            passages = [Passage() for _ in self._fed]
        micro_batches = tuple(
            MicroBatch(self._process, rows, passage.loss, passage.factor, passage.token_count)
            for rows, passage in zip(self._fed, passages, strict=True)
        )
        self._steps.append(SeenStep(norm, micro_batches))
        self._fed = []
        self._on_step(step)


def _steps(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> bool:
    """Whether any of the optimizer's parameters is the model's."""
    stepped = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return any(id(parameter) in stepped for parameter in model.parameters())
