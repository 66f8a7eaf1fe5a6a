"""What is watched inside a worker: at torch's seams, so that any stack can be watched and none is changed.

Forwards say what the model was fed and which loss it returned, hooks on parameters what each backward pass adds, a hook
in ``Optimizer.step`` what is about to be applied, torch's clipping functions what was cut off before that, and the
stack's own log says what its user is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from accumcheck.capture.applied import StepWatch, parameters_in, scale_of
from accumcheck.capture.belief import belief_of
from accumcheck.capture.clipping import CLIPPING, Clip, watch_clipping
from accumcheck.capture.contributions import Contributions, entries_each
from accumcheck.capture.coordinates import GradientReader, Reading, named_parameters_of
from accumcheck.capture.gradient import StepGradient, put_together
from accumcheck.capture.losses import TOKEN_COUNT, Passage, Watched
from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.scaling import ScaleWatch
from accumcheck.capture.schedules import ScheduleWatch
from accumcheck.capture.shards import is_sharded
from accumcheck.capture.shards.asked import check_engine_was_made, check_shards_were_made
from accumcheck.capture.shards.whole import flat_of
from accumcheck.capture.shards.zero import around_steps, check_engine, check_norm, engine_of, loss_scale_of
from accumcheck.capture.unclipped import Unclipped
from accumcheck.capture.updates import Update, UpdateWatch
from accumcheck.capture.windows import Call, Closed, Part, Window, micro_batches_of
from accumcheck.errors import UnsupportedError
from accumcheck.record import Clipped, Coordinates, MicroBatch, TrainedRecord
from accumcheck.runfolder.of_split import write_belief, write_trained
from accumcheck.runfolder.steps import (
    SeenStep,
    write_change,
    write_contributions,
    write_gradient,
    write_steps,
    write_unapplied,
)

Optimizers = Callable[[], Iterable[torch.optim.Optimizer]]


class FindsRows(Protocol):
    """Knows rows again."""

    def find(self, batch: Mapping[str, Any]) -> tuple[int, ...]:
        """A number for every row of a batch."""

    def join(self, fed: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """The numbers of the rows of one micro-batch that several forwards were fed."""


class Observer:
    """Collects one process's view of the optimizer steps of one split and writes it into ``folder``.

    The files are those of `accumcheck.runfolder.steps`, and where the stack has a Trainer, what it believes of its
    model (`accumcheck.runfolder.of_split`).

    Args:
        folder: the split's.
        process: which one this is.
        samples: knows rows again.
        on_step: called with every step that was seen, counted from 0.
        accumulation_steps: those that the stack was asked for.
        whole: keep as much of each micro-batch's contribution as of the gradient, however many there are.
    """

    def __init__(
        self,
        folder: Path,
        process: int,
        samples: FindsRows,
        on_step: Callable[[int], None],
        *,
        accumulation_steps: int = 1,
        whole: bool = False,
    ) -> None:
        self._folder = folder
        self._process = process
        self._samples = samples
        self._on_step = on_step
        self._k = accumulation_steps
        self._entries = None if whole else entries_each(accumulation_steps)
        self._model: torch.nn.Module | None = None
        self._reader: GradientReader | None = None
        self._positions: dict[int, int] = {}
        self._rows_are_told = False
        self._trainer: Any = None
        self._steps: list[SeenStep] = []
        self._engine: Any = None
        self._patches = Patches({Seam.ENGINE_STEP, Seam.GRAD_SCALER, *CLIPPING})
        self._optimizers: Optimizers = tuple
        self._contributions: Contributions | None = None
        self._scaling: ScaleWatch | None = None
        self._window = Window()
        self._calling: Watched | None = None
        self._stepping = False
        self._updates: UpdateWatch | None = None
        self._ever_touched: set[int] = set()
        self._held: set[int] = set()
        self._applied: dict[int, Reading] = {}
        self._unclipped = Unclipped()
        self._closure_from: int | None = None
        self._stepped: list[set[int]] = []
        self._whole: StepGradient | None = None

    # --- beginning and end --------------------------------------------------------------------------------------------

    def watch(
        self,
        model: torch.nn.Module,
        *,
        seed: int,
        rows_are_told: bool = False,
        optimizers: Optimizers = tuple,
        steps: StepWatch | None = None,
        schedules: ScheduleWatch | None = None,
    ) -> None:
        """Start watching this model (the bare one, before any wrapper) and every optimizer of the process.

        Args:
            model: all that is trained.
            seed: decides which entries of the gradient are kept.
            rows_are_told: what the model is fed is told by `feed`, and not read off its forward.
            optimizers: those that the program has made so far, where that is known.
            steps: where optimizers are watched already; a training may begin in the closure of a first step.
            schedules: those of the program; None where the learning rates are not its own.
        """
        self._rows_are_told = rows_are_told
        self._model = model
        self._optimizers = optimizers
        self._reader = GradientReader.of(model, seed=seed)
        self._scaling = ScaleWatch(self._patches)
        for undo in (
            model.register_forward_pre_hook(self._before_forward, with_kwargs=True).remove,
            model.register_forward_hook(self._after_forward).remove,
        ):
            self._patches.at_end(undo)
        self._window.sees_gradients = not is_sharded(model)
        if not is_sharded(model):
            parameters = named_parameters_of(model)
            self._positions = self._reader.positions_of(parameters)
            self._contributions = Contributions(self._reader, parameters, self._saw_gradient, self._entries)
            self._patches.at_end(self._contributions.stop)
            watch_clipping(self._patches, self._before_clip, self._clipped)
        self._updates = UpdateWatch(schedules, self._reader, self._positions)
        if steps is None:
            steps = StepWatch()
            self._patches.at_end(steps.stop)
        steps.tell(self)

    def stop(self) -> None:
        """Stop watching: what the process does from here on is not recorded."""
        self._close_if_stepped()
        self._patches.undo()

    def trained_by(self, trainer: Any) -> None:
        """Take the Trainer that the stack trains with, to look at what it believes of its model."""
        self._trainer = trainer

    @property
    def steps(self) -> tuple[SeenStep, ...]:
        """The steps so far."""
        return tuple(self._steps)

    @property
    def coordinates(self) -> Coordinates | None:
        """Which entries of the gradient are kept; None before the watching has begun."""
        return None if self._reader is None else self._reader.coordinates

    @property
    def steps_begun(self) -> int:
        """The steps so far, with the one whose window is still open."""
        return len(self._steps) + self._window.has_stepped

    def write(self) -> None:
        """Write the steps; the gradients were written as they came."""
        self._close_if_stepped()
        rest = [part.rows for part in micro_batches_of(self._window.groups, 1, self._samples.join) if part.rows]
        write_unapplied(self._folder, self._process, [MicroBatch(self._process, rows) for rows in rest])
        if self._reader is not None:
            lacking = [
                name
                for position, name in enumerate(self._reader.coordinates.names)
                if position in self._ever_touched and position not in self._held
            ]
            entries = () if self._contributions is None else tuple(self._contributions.entries.tolist())
            untouched = [
                name
                for position, name in enumerate(self._reader.coordinates.names)
                if self._contributions is not None and position not in self._ever_touched
            ]
            made = self._updates.made if self._updates is not None else ()
            trained = TrainedRecord(self._reader.coordinates, tuple(lacking), entries, made, tuple(untouched))
            write_trained(self._folder, self._process, trained)
        write_steps(self._folder, self._process, self._steps)
        if self._trainer is not None and self._process == 0:
            with contextlib.suppress(Exception):  # a user's own Trainer may be anything: what is not seen is not said
                write_belief(self._folder, belief_of(self._trainer))

    # --- what is told -------------------------------------------------------------------------------------------------

    def feed(self, batch: Mapping[str, Any]) -> None:
        """Take the rows of one micro-batch, however often the model is called for it."""
        self.catch_up()
        self._window.call(Call(0, self._samples.find(batch)), told=True)

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """Take what the stack tells its user about optimizer step ``step``, counted from 1 as stacks do."""
        self._close_if_stepped()
        if "loss" not in logs or not 1 <= step <= len(self._steps):
            return
        seen = replace(self._steps[step - 1], loss=float(logs["loss"]))
        if logs.get("grad_norm") is not None:
            seen = replace(seen, logged_grad_norm=float(logs["grad_norm"]))
        self._steps[step - 1] = seen

    # --- forwards and backward passes ---------------------------------------------------------------------------------

    def called(self, module: int, batch: Mapping[str, Any]) -> None:
        """One of the trained modules is called; ``batch``: by name, empty where it is fed no data of its own."""
        self.catch_up()
        self._calling = Watched(batch.get(TOKEN_COUNT))
        self._window.call(Call(module, self._samples.find(batch) if batch else (), self._calling))

    def returned(self, output: Any) -> None:
        """The module that was called last has returned this."""
        if self._calling is not None:
            self._calling.returned(output)
            self._calling = None

    def _before_forward(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not torch.is_grad_enabled():
            return
        if not self._steps and self._engine is None:
            self._look_for_engine(module)
        if self._rows_are_told and self._trainer is not None:
            self._calling = Watched(kwargs.get(TOKEN_COUNT))
            if self._window.groups:
                self._window.groups[-1].calls.append(Call(0, (), self._calling))
        elif not self._rows_are_told:
            self.called(0, dict(args[0]) if args and isinstance(args[0], Mapping) else kwargs)

    def _after_forward(self, module: torch.nn.Module, args: tuple[Any, ...], output: Any) -> None:  # noqa: ARG002
        if torch.is_grad_enabled() and (self._trainer is not None or not self._rows_are_told):
            self.returned(output)

    def _saw_gradient(self, position: int) -> bool:
        self._ever_touched.add(position)
        return self._window.backward()

    # --- the step -----------------------------------------------------------------------------------------------------

    def step_begins(self, optimizer: torch.optim.Optimizer) -> None:
        """See `accumcheck.capture.applied.Steps`.

        All processes are here together, so that what they have in pieces can be gathered.
        """
        if self._engine is not None:
            return
        assert self._model is not None
        assert self._reader is not None
        if self._window.stepped(id(optimizer)):
            self._close()
        if not self._steps:
            arguments = getattr(self._trainer, "args", None)
            check_engine_was_made(arguments)
            check_shards_were_made(is_sharded(self._model), arguments)
        self._stepping = True
        self._closure_from = None
        if self._updates is not None and self._held_by([optimizer]):
            self._updates.step_begins(optimizer)
        if not self._positions:
            entries, norm = self._reader.read(self._model)
            if norm == 0 and not _steps(optimizer, self._model):
                raise UnsupportedError(
                    f"the optimizer ({type(optimizer).__name__}) steps other tensors than the model's parameters, "
                    "which have no gradient: the gradient that is applied is not seen; train without what keeps "
                    "copies of its own"
                )
            self._whole = StepGradient(entries, np.array([norm]), 1.0)

    def closure_begins(self, *, again: bool) -> None:
        """See `accumcheck.capture.applied.Steps`.

        The first call is made at the weights that the step begins with, as the other splits' are; later ones are not.
        """
        if again and self._closure_from is None:
            self._closure_from = self._window.done

    def step_applies(self, optimizer: torch.optim.Optimizer) -> None:
        """See `accumcheck.capture.applied.Steps`."""
        if self._engine is not None:
            return
        assert self._reader is not None
        if self._closure_from is not None:
            return
        scale = scale_of(optimizer)
        for parameter in parameters_in(optimizer):
            position = self._positions.get(id(parameter))
            if position is None:
                continue
            self._held.add(position)
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            flat = flat_of(gradient)
            self._applied[position] = self._reader.part(position, flat if scale is None else flat / scale)

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        """See `accumcheck.capture.applied.Steps`."""
        self._stepping = False
        if self._closure_from is not None:
            dropped = self._window.drop(self._closure_from)
            if self._contributions is not None:
                self._contributions.drop(dropped)
        held = self._held_by([optimizer])
        if self._engine is None and (held or self._whole):
            self._window.step(id(optimizer))
            self._stepped.append(held)

    def _held_by(self, optimizers: Iterable[torch.optim.Optimizer]) -> set[int]:
        """The positions of the parameters that they hold."""
        found = {self._positions.get(id(parameter)) for one in optimizers for parameter in parameters_in(one)}
        return {position for position in found if position is not None}

    def changed(self, before: Mapping[int, torch.Tensor]) -> None:
        """A step has changed weights that were these, by the ids of the parameters; they are about to be put back."""
        if self._engine is not None or self._updates is None or self._process != 0:
            return
        if self._closure_from is not None:  # a search along several gradients, whose differences are all rounding
            return
        assert self._model is not None
        self._updates.changed(self._model.parameters(), before)

    def _before_clip(self, tensors: list[torch.Tensor]) -> None:
        assert self._reader is not None
        readings = {}
        for parameter in tensors:
            position = self._positions.get(id(parameter))
            if position is not None and parameter.grad is not None:
                readings[position] = self._reader.part(position, flat_of(parameter.grad))
        self._unclipped.about_to_clip(readings, self._window.done)

    def _clipped(self, clip: Clip) -> None:
        self._unclipped.clipped(clip)
        self._window.clipped(clip)

    # --- windows ------------------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """A forward is about to begin: if everyone has stepped who may, the step before it is complete.

        Who holds parameters that have not been changed yet may step later in the same window, as the second optimizer
        of a GAN does. If it does not, the window ends where one that has stepped steps again.
        """
        if not self._window.has_stepped or self._stepping:
            return
        due = [one for one in self._optimizers() if not self._window.stepped(id(one))]
        if not self._held_by(due) - set().union(*self._stepped):
            self._close()

    def _close_if_stepped(self) -> None:
        if self._window.has_stepped and not self._stepping:
            self._close()

    def _close(self) -> None:
        assert self._reader is not None
        done = self._window.boundary
        closed = self._window.close()
        whole = self._whole or put_together(self._reader, self._applied, self._unclipped.take(done), closed.clips)
        self._keep(closed, whole, self._scaling.scale if self._scaling is not None else 1.0)
        self._applied, self._whole, self._stepped = {}, None, []

    def _keep(self, closed: Closed, gradient: StepGradient, loss_scale: float) -> None:
        """Write one step down: the gradient that was read, and what was fed for it."""
        step = len(self._steps)
        write_gradient(self._folder, self._process, step, gradient.entries)
        parts = micro_batches_of(closed.groups, self._k, self._samples.join)
        if self._contributions is not None:
            groups = self._contributions.take(sum(group.backward for group in closed.groups)) / loss_scale
            for group, added in zip((one for one in closed.groups if one.backward), groups, strict=False):
                added[self._contributions.entries_of(self._applied_before(group.phase))] = 0
            if all(group.backward for group in closed.groups) and all(part.groups for part in parts):
                each = [groups[list(part.groups)].sum(axis=0) for part in parts]
                write_contributions(self._folder, self._process, step, np.stack(each) if each else groups)
        update = self._updates.take() if self._updates is not None else Update()
        if update.change is not None:
            write_change(self._folder, step, update.change.entries)
        within = closed.clipped_within
        self._steps.append(
            SeenStep(
                grad_norm=gradient.norm,
                micro_batches=tuple(self._micro_batch(part, loss_scale) for part in parts),
                parameter_norms=tuple(gradient.norms.tolist()) if self._positions else (),
                parameter_projections=gradient.projections,
                clip_coefficient=gradient.clip_coefficient,
                clipped_within=Clipped(within[0].place, min(clip.coefficient for clip in within)) if within else None,
                learning_rates=update.learning_rates,
                weight_decays=update.weight_decays,
                change_norm=None if update.change is None else update.change.norm,
                schedule_steps=update.schedule_steps,
            )
        )
        self._on_step(step)

    def _applied_before(self, phase: int) -> set[int]:
        """Parameters that were changed before this phase of the window and not again: it adds nothing to them."""
        return set().union(*self._stepped[:phase]) - set().union(*self._stepped[phase:])

    def _micro_batch(self, part: Part, loss_scale: float) -> MicroBatch:
        passage = Passage() if part.passage is None else part.passage.passage(loss_scale)
        return MicroBatch(self._process, part.rows, passage.loss, passage.factor, passage.token_count)

    # --- DeepSpeed ----------------------------------------------------------------------------------------------------

    def _look_for_engine(self, model: torch.nn.Module) -> None:
        """Watch the step of DeepSpeed's engine: the torch optimizer in it is only given buffers of the engine's."""
        self._engine = engine_of(model)
        if self._engine is not None:
            check_engine(self._engine)
            around_steps(self._patches, self._engine, self._before_engine_step, self._after_engine_step)

    def _before_engine_step(self) -> None:
        assert self._model is not None
        assert self._reader is not None
        entries, norm = self._reader.read(self._model)
        self._window.step(id(self._engine))
        closed = self._window.close()
        self._keep(closed, StepGradient(entries, np.array([norm]), 1.0), loss_scale_of(self._engine))

    def _after_engine_step(self) -> None:
        check_norm(self._engine, self._steps[-1].grad_norm)


def _steps(optimizer: torch.optim.Optimizer, model: torch.nn.Module) -> bool:
    """Whether any of the optimizer's parameters is the model's."""
    stepped = {id(parameter) for parameter in parameters_in(optimizer)}
    return any(id(parameter) in stepped for parameter in model.parameters())
