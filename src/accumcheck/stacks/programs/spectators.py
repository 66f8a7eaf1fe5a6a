"""The spectators of a program's training: of one process of a split, and of the process of the reference."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch.optim.optimizer import register_optimizer_step_post_hook

from accumcheck.capture.autocast import AutocastWatch
from accumcheck.capture.observer import Observer
from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.shards import is_sharded
from accumcheck.capture.shards.asked import check_gpus_are_not_shared
from accumcheck.capture.shards.zero import around_steps, engine_of, is_partitioned
from accumcheck.errors import RefusedError, UnsupportedError
from accumcheck.loops import listen
from accumcheck.record.observed import NEVER_CLIPS, Engine
from accumcheck.rows.fed import PACKED, PAIR, Rows
from accumcheck.rows.pairs import holds_pairs
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.starts import write_start
from accumcheck.stacks.programs.effects import stop_before_effects
from accumcheck.stacks.programs.engines import cast_as
from accumcheck.stacks.programs.groups import keep_groups
from accumcheck.stacks.programs.same_weights import check_same_start, check_weights_held, reference_model_of, sums_of
from accumcheck.stacks.programs.settings import write_arguments
from accumcheck.stacks.programs.watch import FinishedError, Watch
from accumcheck.stacks.updates.hold_still import HoldStill
from accumcheck.workload.determinism import turn_off_dropout

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig


class OfSplit:
    """Watches the training in one process of a split."""

    def __init__(
        self, check: CheckConfig, observer: Observer, rows: Rows, folder: Path, process: int, patches: Patches
    ) -> None:
        self.watch: Watch | None = None
        """The watch that calls this spectator; to be set before the program starts."""
        self._modules: list[torch.nn.Module] = []
        self._check = check
        self._patches = patches
        self._observer = observer
        self._rows = rows
        self._folder = folder
        self._process = process
        self._who = f"process {process} of split {folder.name}"
        self._reported: list[float] = []
        self._models: tuple[torch.nn.Module, torch.nn.Module | None] | None = None
        self._weights: dict[str, int] = {}
        self._stayed = False
        self.still: HoldStill | None = None

    def begin(self, model: torch.nn.Module, trainer: Any) -> None:
        """See `accumcheck.stacks.programs.watch.Spectator`."""
        assert self.watch is not None
        keep_groups()
        check_gpus_are_not_shared(is_sharded(model), next(model.parameters()).device)
        self._models = model, _frozen(trainer)
        engine = engine_of(model)
        turn_off_dropout(model)
        self._weights = sums_of(*self._models)
        self._rows.config = getattr(model, "config", None)
        if holds_pairs(trainer):
            self._rows.sample = PAIR
        write_start(self._folder, self._process, self._weights)
        if self._process == 0:  # if only other processes start elsewhere, the split is wrong, and is judged
            check_same_start(self._folder.parent, self._who, self._weights)
        self._observer.watch(
            model,
            seed=self._check.seed,
            rows_are_told=True,
            optimizers=self.watch.optimizers,
            steps=self.watch.steps,
            schedules=self.watch.schedules,
        )
        if trainer is not None:
            self._observer.trained_by(trainer)
            if is_sharded(model):  # the gradient before the program's own clipping is not seen then
                trainer.args.max_grad_norm = NEVER_CLIPS
            if getattr(trainer.args, "packing", False):
                self._rows.sample = PACKED
            if self._process == 0:
                write_arguments(trainer.args, self._folder)
        else:
            self._patches.at_end(listen(self._reported.append))
        changed = self._observer.changed if self._check.update == "auto" else None
        whole = [] if is_sharded(model) or engine is not None else list(model.parameters())
        self.still = HoldStill(self._patches, changed, whole)
        if (stepping := self.watch.steps.stepping) is not None:  # the training began in the closure of this step
            self.still.begin(stepping)
        if engine is not None:  # it updates the model's parameters after the step of torch's optimizer
            around_steps(self._patches, engine, lambda: None, self._after_step)
        elif is_sharded(model):
            self._patches.at_end(register_optimizer_step_post_hook(self._after_step).remove)

    def _after_step(self, *_: Any) -> None:
        """Check the weights after the last step: the processes can still gather them, later perhaps not."""
        if self._observer.steps_begun == self._check.steps:
            self._check_held()

    def fed(self, batch: Mapping[str, Any]) -> None:
        """See `Spectator`."""
        self._stop_when_all_was_seen()
        self._observer.feed(batch)

    def called(self, module: torch.nn.Module, batch: Mapping[str, Any]) -> None:
        """See `Spectator`."""
        self._stop_when_all_was_seen()
        if all(module is not known for known in self._modules):
            self._modules.append(module)
        self._observer.called(next(at for at, known in enumerate(self._modules) if known is module), batch)

    def returned(self, output: Any) -> None:
        """See `Spectator`."""
        self._observer.returned(output)

    def evaluated(self) -> None:
        """Stop the loop after the last step that is checked, unless it still has to report a loss."""
        if not self._reported or len(self._reported) >= self._check.steps:
            self._stop_when_all_was_seen()

    def over(self) -> None:
        """A Trainer's training has ended. Stop the program before it saves or evaluates."""
        raise FinishedError

    def another(self) -> None:
        """Another training begins. Stop, because only the first one is checked."""
        raise FinishedError

    def _stop_when_all_was_seen(self) -> None:
        self._settle()
        if len(self._observer.steps) == self._check.steps:  # the loop has not stopped by itself
            raise FinishedError

    def _settle(self) -> None:
        """If a window is over: put back the weights that the program itself has changed since its last step."""
        if self.still is not None:
            self.still.settle(over=self._observer.between_windows)
        self._observer.catch_up()

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """See `Spectator`."""
        self._settle()
        self._observer.told(step, logs)

    def end(self) -> None:
        """Pass on the losses that a loop has reported, and check that the weights were held still."""
        self._settle()
        check_reported_once(len(self._reported), len(self._observer.steps))
        for step, loss in enumerate(self._reported, start=1):
            self._observer.told(step, {"loss": loss})
        if not self._stayed:
            self._check_held()

    def _check_held(self) -> None:
        # a NaN in the gradient spoils the weights at any learning rate; it is reported by another check
        if self._models is None or not all(math.isfinite(step.grad_norm) for step in self._observer.steps):
            return
        if is_sharded(self._models[0]) and not dist.is_initialized():
            raise RefusedError(
                f"the program left its process group after {len(self._observer.steps)} of {self._check.steps} steps, "
                "so its weights cannot be gathered to check that they did not change; let it train longer, or write "
                f"steps: {len(self._observer.steps)}"
            )
        check_weights_held(self._weights, sums_of(*self._models))
        self._stayed = True


def check_reported_once(times: int, steps: int) -> None:
    """Check that a loop has not reported more losses than it has made steps.

    Args:
        times: how often the loop called ``report_loss``.
        steps: the number of its optimizer steps.

    Raises:
        RefusedError: there are more losses than steps, so it is not known which loss belongs to which step.
    """
    if times > steps:
        raise RefusedError(
            f"report_loss was called {times} times in {steps} optimizer steps; call it once for each optimizer step, "
            "with the loss of the whole step, as your log shows it"
        )


def _frozen(trainer: Any) -> torch.nn.Module | None:
    """The reference model of preference tuning, without dropout; None if the trainer has no separate one."""
    model = reference_model_of(trainer)
    if model is not None:
        turn_off_dropout(model)
    return model


class OfWitness(OfSplit):
    """Watches the program train one row at a time, and keeps its model and Trainer for the reference."""

    def __init__(self, check: CheckConfig, observer: Observer, rows: Rows, job: Job, patches: Patches) -> None:
        super().__init__(check, observer, rows, job.folder, 0, patches)
        self._who = "the reference"
        self._run = job.run
        self.model: torch.nn.Module | None = None
        self.trainer: Any = None
        self.autocast: AutocastWatch | None = None
        """The precision in which the model computes."""
        self.training: tuple[torch.nn.Module, ...] = ()
        """The modules that were in training mode when training began."""
        self.ended = False
        """Whether the training that is checked has ended; the program may go on for a moment."""
        self.trains_again = False
        """Whether the program then began another training."""
        self.engine: Engine | None = None
        """The engine that trained in the splits, if one did. The caller sets it."""
        self.counts: dict[int, float] = {}
        """The token count that a Trainer passed in each step, counted from 0."""

    def begin(self, model: torch.nn.Module, trainer: Any) -> None:
        """See `accumcheck.stacks.programs.watch.Spectator`."""
        if is_partitioned(model):
            raise UnsupportedError(
                "the program partitions its model itself (deepspeed.zero.Init), so there is no whole model to compute "
                "the reference with; create the model without zero.Init, and let the engine partition it"
            )
        if self.engine is not None and self.engine.dtype and engine_of(model) is None:
            cast_as(self.engine, model)
        super().begin(model, trainer)
        # a program leaves its process group after its training, but the reference may need it to compute the loss
        self._patches.wrap(Seam.GROUP, dist, lambda _: _nothing)
        self.model, self.trainer = model, trainer
        self.autocast = AutocastWatch(model)
        self._patches.at_end(self.autocast.stop)
        self.training = tuple(module for module in model.modules() if module.training)

    def fed(self, batch: Mapping[str, Any]) -> None:
        """See `Spectator`."""
        super().fed(batch)
        if self.watch is not None and self.watch.count is not None:
            self.counts[len(self._observer.steps)] = float(self.watch.count)

    def called(self, module: torch.nn.Module, batch: Mapping[str, Any]) -> None:
        """See `Spectator`. A module that shares no parameter with the trained model belongs to another training."""
        self._settle()
        if self._observer.steps_begun >= self._check.steps and self.model is not None:
            own = {id(parameter) for parameter in self.model.parameters()}
            self.trains_again = not any(id(parameter) in own for parameter in module.parameters())
            if self.trains_again:
                raise FinishedError
        super().called(module, batch)

    def over(self) -> None:
        """The training has ended. The program may go on for a moment, to see whether it trains again.

        Evaluation is skipped, and the program is stopped before it changes anything outside the folder of the run.
        """
        self.ended = True
        self._patches.at_end(stop_before_effects(self._run))
        for name in AFTERWARDS:
            if hasattr(self.trainer, name):
                self._patches.assign(self.trainer, name, _nothing)
        if threading.current_thread() is threading.main_thread():
            before = signal.signal(signal.SIGALRM, _out_of_time)
            signal.setitimer(signal.ITIMER_REAL, MOMENT_SECONDS)

            def quiet() -> None:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)

            self._patches.at_end(quiet)

    def another(self) -> None:
        """Another training begins."""
        self.trains_again = True
        raise FinishedError


SAVING = ("save_model", "save_state", "save_metrics", "log_metrics", "push_to_hub", "create_model_card")
AFTERWARDS = (*SAVING, "evaluate", "predict")
"""The methods of a Trainer that programs call after training."""

MOMENT_SECONDS = 5.0
"""How long a program may go on after its training, in seconds."""


def _nothing(*_: Any, **__: Any) -> dict[str, float]:
    return {}


def _out_of_time(*_: Any) -> None:
    raise FinishedError
