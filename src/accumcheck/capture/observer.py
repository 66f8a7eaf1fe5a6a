"""What is observed inside a worker: through torch's hooks, so that any stack can be observed without changing it.

Forwards show the model's inputs and the loss it returned, hooks on parameters what each backward pass adds, a hook
in ``Optimizer.step`` the gradient about to be applied, torch's clipping functions how it was clipped before, and the
stack's own log the numbers that its user sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from accumcheck.capture.applied import StepWatch
from accumcheck.capture.applied_gradient import AppliedGradient
from accumcheck.capture.clipping import CLIPPING, Clip, watch_clipping
from accumcheck.capture.contributions import Contributions, entries_each
from accumcheck.capture.coordinates import GradientReader, named_parameters_of
from accumcheck.capture.forwards import FindsRows, Forwards
from accumcheck.capture.gradient import StepGradient
from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.scaling import ScaleWatch
from accumcheck.capture.schedules import ScheduleWatch
from accumcheck.capture.shards import is_sharded
from accumcheck.capture.shards.asked import check_engine_was_made, check_shards_were_made
from accumcheck.capture.shards.engine import EngineWatch, optimizer_of
from accumcheck.capture.step_log import StepLog, trained_record
from accumcheck.capture.updates import Update, UpdateWatch
from accumcheck.capture.windows import Closed, Window, micro_batches_of
from accumcheck.record import Coordinates
from accumcheck.runfolder.steps import SeenStep

Optimizers = Callable[[], Iterable[torch.optim.Optimizer]]


class Observer:
    """Collects one process's view of the optimizer steps of one split and writes it into ``folder``.

    The files are those of `accumcheck.runfolder.steps`, and `of_split` for what a Trainer assumes about its model.

    Args:
        folder: the split's.
        process: this process's rank.
        samples: identifies rows.
        on_step: called with the number of every step seen, counted from 0.
        accumulation_steps: the number requested of the stack.
        whole: keep as many entries of each micro-batch's contribution as of the gradient, however many there are.
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
        self._process = process
        self._samples = samples
        self._log = StepLog(folder, process, samples.join, on_step)
        self._k = accumulation_steps
        self._entries = None if whole else entries_each(accumulation_steps)
        self._model: torch.nn.Module | None = None
        self._reader: GradientReader | None = None
        self._positions: dict[int, int] = {}
        self._trainer: Any = None
        self._patches = Patches({Seam.ENGINE_STEP, Seam.GRAD_SCALER})
        self._at_parameters = Patches(CLIPPING)
        self._engine = EngineWatch(self._patches, self._engine_steps)
        self._optimizers: Optimizers = tuple
        self._contributions: Contributions | None = None
        self._scaling: ScaleWatch | None = None
        self._window = Window()
        self._forwards = Forwards(self._window, samples, self._forward_begins)
        self._stepping = False
        self._updates: UpdateWatch | None = None
        self._ever_touched: set[int] = set()
        self._applied: AppliedGradient | None = None
        self._closure_from: int | None = None

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
            model: holds everything that is trained.
            seed: decides which entries of the gradient are kept.
            rows_are_told: the model's inputs are reported through `feed`, not read from its forward.
            optimizers: those that the program has made so far, if known.
            steps: a watch that already sees the optimizers; training may begin in the closure of the first step.
            schedules: the program's; None if it does not set the learning rates itself.
        """
        self._forwards.are_told = rows_are_told
        self._model = model
        self._optimizers = optimizers
        self._reader = GradientReader.of(model, seed=seed)
        self._scaling = ScaleWatch(self._patches)
        self._forwards.watch(model, self._patches)
        self._window.sees_gradients = not is_sharded(model)
        parameters = named_parameters_of(model) if self._window.sees_gradients else {}
        self._positions = self._reader.positions_of(parameters)
        self._applied = applied = AppliedGradient(self._reader, self._positions)
        if parameters:
            self._contributions = Contributions(self._reader, parameters, self._saw_gradient, self._entries)
            self._at_parameters.at_end(self._contributions.stop)
            watch_clipping(
                self._at_parameters, lambda tensors: applied.about_to_clip(tensors, self._window.done), self._clipped
            )
            self._patches.at_end(self._at_parameters.undo)
        self._updates = UpdateWatch(schedules, self._reader, self._positions)
        if steps is None:
            steps = StepWatch()
            self._patches.at_end(steps.stop)
        steps.tell(self)

    def stop(self) -> None:
        """Stop watching: nothing is recorded from here on."""
        self._close_if_stepped()
        self._patches.undo()

    def trained_by(self, trainer: Any) -> None:
        """Take the stack's Trainer, to read what it assumes about its model."""
        self._trainer = trainer
        self._forwards.has_trainer = trainer is not None

    @property
    def steps(self) -> tuple[SeenStep, ...]:
        """The steps so far."""
        return tuple(self._log.steps)

    @property
    def coordinates(self) -> Coordinates | None:
        """Which entries of the gradient are kept; None before the watching has begun."""
        return None if self._reader is None else self._reader.coordinates

    @property
    def steps_begun(self) -> int:
        """The steps so far, including the one whose window is still open."""
        return len(self._log.steps) + self._window.has_stepped

    def write(self) -> None:
        """Write the steps; the gradients were written as they came."""
        self._close_if_stepped()
        trained = weights = None
        if self._reader is not None and self._applied is not None and self._updates is not None:
            weights, schedules = self._updates.held(), self._updates.made
            # an engine steps copies of its own: torch's optimizers do not say which parameters it holds
            held = self._ever_touched if self._engine.found else self._applied.held
            engine = self._engine.record
            trained = trained_record(self._reader, self._contributions, self._ever_touched, held, schedules, engine)
        self._log.write(self._window.groups, trained, weights, self._trainer)

    def feed(self, batch: Mapping[str, Any]) -> None:
        """Take the rows of one micro-batch, however often the model is called for it."""
        self.catch_up()
        self._forwards.feed(batch)

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """Take what the stack logs for optimizer step ``step``, counted from 1 as stacks do."""
        self._close_if_stepped()
        self._log.told(step, logs)

    def called(self, module: int, batch: Mapping[str, Any]) -> None:
        """One of the trained modules is called; ``batch``: inputs by name, empty if it is fed no data directly."""
        self.catch_up()
        self._forwards.called(module, batch)

    def returned(self, output: Any) -> None:
        """The module that was called last has returned this output."""
        self._forwards.returned(output)

    def _forward_begins(self, model: torch.nn.Module) -> None:
        if not self._log.steps and self._reader is not None:
            self._engine.look_for(model, self._reader)
            if self._window.sees_gradients and not self._window.done and is_sharded(model):  # since `watch`
                self._at_parameters.undo()
                self._contributions, self._window.sees_gradients = None, False
                self._positions.clear()  # other tensors are trained now: nobody finds these any more
        if not self._forwards.are_told:
            self.catch_up()

    def _saw_gradient(self, position: int) -> bool:
        self._ever_touched.add(position)
        return self._window.backward()

    def step_begins(self, optimizer: torch.optim.Optimizer) -> None:
        """See `accumcheck.capture.applied.Steps`; all processes get here together, so shards can be gathered."""
        if self._engine.found:
            return
        assert self._model is not None and self._applied is not None  # noqa: PT018
        if self._window.stepped(id(optimizer)):
            self._close()
        if not self._log.steps:
            arguments = getattr(self._trainer, "args", None)
            check_engine_was_made(arguments)
            check_shards_were_made(is_sharded(self._model), arguments)
        self._stepping = True
        self._closure_from = None
        if self._updates is not None and self._applied.held_by([optimizer]):
            self._updates.step_begins(optimizer)
        if not self._positions:
            self._applied.read_whole(optimizer, self._model)

    def closure_begins(self, *, again: bool) -> None:
        """See `accumcheck.capture.applied.Steps`.

        The first call uses the weights that the step begins with, as in the other splits; later calls do not.
        """
        if again and self._closure_from is None:
            self._closure_from = self._window.done

    def step_applies(self, optimizer: torch.optim.Optimizer) -> None:
        """See `accumcheck.capture.applied.Steps`."""
        if self._applied is not None and not self._engine.found and self._closure_from is None:
            self._applied.read(optimizer)

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        """See `accumcheck.capture.applied.Steps`."""
        self._stepping = False
        if self._closure_from is not None:
            dropped = self._window.drop(self._closure_from)
            if self._contributions is not None:
                self._contributions.drop(dropped)
        if self._applied is not None and not self._engine.found and self._applied.stepped(optimizer):
            self._window.step(id(optimizer))

    def changed(self, before: Mapping[int, torch.Tensor]) -> None:
        """A step has changed the weights; ``before``: the old ones, by parameter id. They are about to be restored."""
        searched = self._closure_from is not None  # along several gradients, which differ only by rounding
        if self._engine.found or self._updates is None or self._model is None or self._process != 0 or searched:
            return
        self._updates.changed(self._model.parameters(), before)

    def _clipped(self, clip: Clip) -> None:
        assert self._applied is not None
        self._applied.clipped(clip)
        self._window.clipped(clip)

    def catch_up(self) -> None:
        """A forward is about to begin: if every optimizer that may step has stepped, the step before it is complete."""
        if self._is_over():
            self._close()

    @property
    def between_windows(self) -> bool:
        """Whether the next window has not begun, and the one before it is over."""
        return not self._stepping and (not self._window.done or self._is_over())

    def _is_over(self) -> bool:
        """Whether every optimizer that may step in the open window has stepped.

        An optimizer with parameters that have not been changed yet may step later in the same window, as the second
        one of a GAN does. If it does not, the window ends when an optimizer steps a second time.
        """
        if not self._window.has_stepped or self._stepping or self._applied is None:
            return False
        due = (one for one in self._optimizers() if not self._window.stepped(id(one)))
        return not self._applied.held_by(due) - self._applied.stepped_by_now()

    def _close_if_stepped(self) -> None:
        if self._window.has_stepped and not self._stepping:
            self._close()

    def _close(self) -> None:
        assert self._applied is not None
        done = self._window.boundary
        closed = self._window.close()
        gradient = self._applied.take(done, closed.clips)
        self._keep(closed, gradient, self._scaling.scale if self._scaling is not None else 1.0)
        self._applied.window_ended()

    def _keep(self, closed: Closed, gradient: StepGradient, loss_scale: float) -> None:
        """Record one step: the gradient that was read, and the rows it came from."""
        parts = micro_batches_of(closed.groups, self._k, self._samples.join)
        self._log.keep_outputs(closed.groups, parts, loss_scale)
        if self._contributions is not None and self._applied is not None:
            ignored = [self._applied.stepped_before(group.phase) for group in closed.groups if group.backward]
            added = self._contributions.take(ignored)
            self._log.keep_contributions(closed.groups, parts, added if loss_scale == 1 else added / loss_scale)
        update = self._updates.take() if self._updates is not None else Update()
        within, by_parameter = closed.clipped_within, bool(self._positions) and not self._engine.found
        self._log.keep(parts, gradient, update, within, loss_scale=loss_scale, by_parameter=by_parameter)

    def _engine_steps(self, engine: Any, gradient: StepGradient, loss_scale: float) -> None:
        if self._updates is not None and (optimizer := optimizer_of(engine)) is not None:
            self._updates.step_begins(optimizer)
        self._window.step(id(engine))
        self._keep(self._window.close(), gradient, loss_scale)
