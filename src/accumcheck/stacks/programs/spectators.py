"""Who watches a program train: one process of a split, or the process that computes the reference."""

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
    """Sees the training of one process of a split."""

    def __init__(
        self, check: CheckConfig, observer: Observer, rows: Rows, folder: Path, process: int, patches: Patches
    ) -> None:
        self.watch: Watch | None = None
        """What this looks through; to be set."""
        self._modules: list[torch.nn.Module] = []
        self._check = check
        self._patches = patches
        self._observer = observer
        self._rows = rows
        self._folder = folder
        self._process = process
        self._reported: list[float] = []
        self._models: tuple[torch.nn.Module, torch.nn.Module | None] | None = None
        self._weights: dict[str, int] = {}
        self._stayed = False

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
        check_same_start(self._folder.parent, self._who(), self._weights)
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
            if is_sharded(model):  # by the program itself: what was there before a clip is not seen
                trainer.args.max_grad_norm = NEVER_CLIPS
            if getattr(trainer.args, "packing", False):
                self._rows.sample = PACKED
            if self._process == 0:
                write_arguments(trainer.args, self._folder)
        else:
            self._patches.at_end(listen(self._reported.append))
        still = HoldStill(self._patches, self._observer.changed if self._check.update == "auto" else None)
        if (stepping := self.watch.steps.stepping) is not None:  # its closure has begun the training
            still.begin(stepping)
        if engine is not None:  # it updates the model's parameters after the step of torch's optimizer
            around_steps(self._patches, engine, lambda: None, self._after_step)
        elif is_sharded(model):
            self._patches.at_end(register_optimizer_step_post_hook(self._after_step).remove)

    def _who(self) -> str:
        return f"process {self._process} of split {self._folder.name}"

    def _after_step(self, *_: Any) -> None:
        """After the last step all processes are still together, and can gather weights; later they may have parted."""
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
        """What a loop does after the last step that is checked, it is not asked to do; the loss it may yet report."""
        if not self._reported or len(self._reported) >= self._check.steps:
            self._stop_when_all_was_seen()

    def over(self) -> None:
        """A Trainer's training has ended: the program is not asked to save or evaluate."""
        raise FinishedError

    def another(self) -> None:
        """Another training begins: the first was seen."""
        raise FinishedError

    def _stop_when_all_was_seen(self) -> None:
        self._observer.catch_up()
        if len(self._observer.steps) == self._check.steps:  # a loop that goes on
            raise FinishedError

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """See `Spectator`."""
        self._observer.told(step, logs)

    def end(self) -> None:
        """Tell what a loop has reported, once a step; ask whether the weights were held still."""
        check_reported_once(len(self._reported), len(self._observer.steps))
        for step, loss in enumerate(self._reported, start=1):
            self._observer.told(step, {"loss": loss})
        if not self._stayed:
            self._check_held()

    def _check_held(self) -> None:
        # a gradient that is not a number spoils weights at any learning rate, and is found by itself
        if self._models is None or not all(math.isfinite(step.grad_norm) for step in self._observer.steps):
            return
        if is_sharded(self._models[0]) and not dist.is_initialized():
            raise RefusedError(
                f"the program left its process group after {len(self._observer.steps)} of {self._check.steps} steps, "
                "so that its weights cannot be gathered to see whether they were held still; let it train on, or write "
                f"steps: {len(self._observer.steps)}"
            )
        check_weights_held(self._weights, sums_of(*self._models))
        self._stayed = True


def check_reported_once(times: int, steps: int) -> None:
    """Check that a loop has reported no more losses than it made steps.

    Args:
        times: how often it called ``report_loss``.
        steps: its optimizer steps.

    Raises:
        RefusedError: it has, so that which loss is which step's is not known.
    """
    if times > steps:
        raise RefusedError(
            f"report_loss was called {times} times in {steps} optimizer steps; call it once for each optimizer step, "
            "with the loss of the whole step, as your log shows it"
        )


def _frozen(trainer: Any) -> torch.nn.Module | None:
    """The reference model of preference tuning, without dropout; None where the trainer has none of its own."""
    model = reference_model_of(trainer)
    if model is not None:
        turn_off_dropout(model)
    return model


class OfWitness(OfSplit):
    """Sees the program train one row after the other, and keeps the model and the Trainer for the reference."""

    def __init__(self, check: CheckConfig, observer: Observer, rows: Rows, job: Job, patches: Patches) -> None:
        super().__init__(check, observer, rows, job.folder, 0, patches)
        self._run = job.run
        self.model: torch.nn.Module | None = None
        self.trainer: Any = None
        self.autocast: AutocastWatch | None = None
        """In what precision it computes."""
        self.training: tuple[torch.nn.Module, ...] = ()
        """The modules that were in training mode when it began."""
        self.ended = False
        """Whether the training that is checked has ended: what the program does after it is only looked at."""
        self.trains_again = False
        """Whether the program then began another training."""
        self.engine: Engine | None = None
        """The engine that trained in the splits, if one did; to be set."""
        self.counts: dict[int, float] = {}
        """The token count that a Trainer passed in each step, counted from 0."""

    def begin(self, model: torch.nn.Module, trainer: Any) -> None:
        """See `accumcheck.stacks.programs.watch.Spectator`."""
        if is_partitioned(model):
            raise UnsupportedError(
                "the program partitions its model itself (deepspeed.zero.Init), so that there is no whole model to "
                "compute the reference with; create it without zero.Init: the engine partitions it"
            )
        if self.engine is not None and self.engine.dtype and engine_of(model) is None:
            cast_as(self.engine, model)
        super().begin(model, trainer)
        # a program leaves its process group when its training ends, and its loss may need it then
        self._patches.wrap(Seam.GROUP, dist, lambda _: _nothing)
        self.model, self.trainer = model, trainer
        self.autocast = AutocastWatch(model)
        self._patches.at_end(self.autocast.stop)
        self.training = tuple(module for module in model.modules() if module.training)

    def _who(self) -> str:
        return "the reference"

    def fed(self, batch: Mapping[str, Any]) -> None:
        """See `Spectator`."""
        super().fed(batch)
        if self.watch is not None and self.watch.count is not None:
            self.counts[len(self._observer.steps)] = float(self.watch.count)

    def called(self, module: torch.nn.Module, batch: Mapping[str, Any]) -> None:
        """See `Spectator`. A module that shares nothing with what was trained is another training's."""
        self._observer.catch_up()
        if self._observer.steps_begun >= self._check.steps and self.model is not None:
            own = {id(parameter) for parameter in self.model.parameters()}
            self.trains_again = not any(id(parameter) in own for parameter in module.parameters())
            if self.trains_again:
                raise FinishedError
        super().called(module, batch)

    def over(self) -> None:
        """The training has ended. For a moment the program goes on, to see whether it trains again.

        It is not let evaluate, and stopped before it changes anything outside of the run's folder.
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


AFTERWARDS = (
    "save_model",
    "save_state",
    "save_metrics",
    "log_metrics",
    "push_to_hub",
    "create_model_card",
    "evaluate",
    "predict",
)
"""What a Trainer does after its training."""

MOMENT_SECONDS = 5.0
"""For how long a program may go on after its training."""


def _nothing(*_: Any, **__: Any) -> dict[str, float]:
    return {}


def _out_of_time(*_: Any) -> None:
    raise FinishedError
