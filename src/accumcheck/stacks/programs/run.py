"""A program as a job: under one split, watched; or alone, for the reference."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
import torch.distributed as dist
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from accumcheck.capture.observer import Observer
from accumcheck.capture.patches import Patches
from accumcheck.capture.shards import is_sharded
from accumcheck.capture.shards.asked import check_gpus_are_not_shared
from accumcheck.capture.shards.zero import around_steps, cast_by, engine_of, is_partitioned
from accumcheck.errors import WorkloadError
from accumcheck.loops import listen
from accumcheck.record import ProgramRecord, Split
from accumcheck.rows.fed import PACKED, PAIR, Rows
from accumcheck.rows.pairs import check_loss_is_per_sample, holds_pairs
from accumcheck.runfolder.events import EventLog, StepDone
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_split import write_program
from accumcheck.stacks.programs.handover import TRAINING_ARGUMENTS, Handover
from accumcheck.stacks.programs.same_weights import check_same_start, check_weights_held, reference_model_of, sums_of
from accumcheck.stacks.programs.settings import UNSHARDED, forget_sharding, override, settings_of, write_arguments
from accumcheck.stacks.programs.watch import FinishedError, watch
from accumcheck.workload.determinism import turn_off_dropout

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.protocol import ProgramSpec

ReferenceOf: TypeAlias = "Callable[[Job, CheckConfig, torch.nn.Module, Any], None]"


def run_split(stack: ProgramSpec, job: Job, check: CheckConfig, process: int, patches: Patches) -> Observer:
    """Train under one split, every process of it.

    Args:
        stack: what is run.
        job: the split's.
        check: the resolved configuration.
        process: this process's rank.
        patches: undone by the caller, when the job has ended.

    Returns:
        What was observed, written already.

    Raises:
        WorkloadError: the program ended without having trained, or does what cannot be watched.
        BaseException: whatever the program raises.
    """
    split = Split.parse(job.name)
    folder = job.folder
    events = EventLog(job.run)

    def on_step(step: int) -> None:
        if process == 0:
            events.emit(StepDone(job.name, step))

    rows = Rows(split.per_device_train_batch_size)
    observer = Observer(folder, process, rows, on_step)
    handover = Handover(split, check.steps, patches)
    settings = settings_of(check, split, output=str(folder / "output"), device=job.device, backend=job.backend)
    override(settings, patches, lambda: handover.take(TRAINING_ARGUMENTS))
    spectator = _OfSplit(check, observer, rows, folder, process, patches)
    watch(spectator, patches)
    _run(stack, check, handover, patches)
    observer.stop()
    if not observer.steps:
        raise WorkloadError(f"{stack.title(check)} ended without an optimizer step")
    check_split_was_followed(split, [batch.samples for batch in observer.steps[0].micro_batches])
    spectator.end()
    observer.write()
    rows.write(folder, process)
    if process == 0:
        write_program(folder, ProgramRecord(handover.ways, rows.sample))
    return observer


def run_reference_of(stack: ProgramSpec, job: Job, check: CheckConfig, compute: ReferenceOf, patches: Patches) -> None:
    """Let the program make its model, and compute the truth of what the splits were fed instead of training it.

    Args:
        stack: what is run.
        job: the reference's.
        check: the resolved configuration.
        compute: computes that truth, see `accumcheck.work.fed_reference.reference_of_fed`.
        patches: undone by the caller, when the job has ended.

    Raises:
        WorkloadError: the program ended without having trained.
        BaseException: whatever the program raises.
    """
    alone = Split(1, (check.splits or (Split(1, 1, 1),))[0].per_device_train_batch_size, 1)
    output = str(job.folder / "output")
    handover = Handover(alone, check.steps, patches)
    settings = settings_of(check, alone, output=output, device=job.device, backend=job.backend)
    forget_sharding()
    override({**settings, **UNSHARDED}, patches)
    spectator = _OfReference(job, check, compute)
    watch(spectator, patches)
    _run(stack, check, handover, patches)
    if not spectator.done:
        raise WorkloadError(f"{stack.title(check)} ended without training")


def check_split_was_followed(split: Split, fed: Sequence[Sequence[int]]) -> None:
    """Check that the program has trained under the split: one that ignored it would agree with itself.

    Args:
        split: the one that was asked for.
        fed: the rows of every micro-batch that this process fed the model in its first step.

    Raises:
        WorkloadError: there were other micro-batches.
    """
    b, k = split.per_device_train_batch_size, split.gradient_accumulation_steps
    if [len(rows) for rows in fed] != [b] * k:
        sizes = ", ".join(dict.fromkeys(str(len(rows)) for rows in fed))
        raise WorkloadError(
            f"the program took no notice of the split: its first step was {len(fed)} micro-batches of {sizes} rows, "
            f"where {split} asks for {k} of {b}; where it makes no TrainingArguments, hand it the numbers, for example "
            "script: {arguments: [--batch, '{per_device_train_batch_size}', "
            "--accumulate, '{gradient_accumulation_steps}']}, or in a YAML file that it is given, under these names"
        )


def _run(stack: ProgramSpec, check: CheckConfig, handover: Handover, patches: Patches) -> None:
    patches.assign(sys, "argv", list(sys.argv))
    patches.assign(sys, "path", list(sys.path))
    try:
        stack.start(check, handover)
    except FinishedError:
        return
    except SystemExit as ended:
        if ended.code not in (None, 0):
            raise


class _OfSplit:
    """Sees the training of one process of a split."""

    def __init__(
        self, check: CheckConfig, observer: Observer, rows: Rows, folder: Path, process: int, patches: Patches
    ) -> None:
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
        check_loss_is_per_sample(trainer)
        check_gpus_are_not_shared(is_sharded(model), next(model.parameters()).device)
        self._models = model, _frozen(trainer)
        engine = engine_of(model)
        turn_off_dropout(model)
        self._weights = sums_of(*self._models)
        self._rows.config = getattr(model, "config", None)
        if holds_pairs(trainer):
            self._rows.sample = PAIR
        who = f"process {self._process} of split {self._folder.name}"
        if engine is not None:
            who += cast_by(engine)
        check_same_start(self._folder.parent, who, self._weights)
        self._observer.watch(model, seed=self._check.seed, rows_are_told=True)
        if trainer is not None:
            self._observer.trained_by(trainer)
            if getattr(trainer.args, "packing", False):
                self._rows.sample = PACKED
            if self._process == 0:
                write_arguments(trainer.args, self._folder)
        else:
            self._patches.at_end(register_optimizer_step_pre_hook(_hold_still).remove)
            self._patches.at_end(listen(self._reported.append))
        if engine is not None:  # it updates the model's parameters after the step of torch's optimizer
            around_steps(self._patches, engine, lambda: None, self._after_step)
        elif is_sharded(model):
            self._patches.at_end(register_optimizer_step_post_hook(self._after_step).remove)

    def _after_step(self, *_: Any) -> None:
        """After the last step all processes are still together, and can gather weights; later they may have parted."""
        if len(self._observer.steps) == self._check.steps:
            self._check_held()

    def fed(self, batch: Mapping[str, Any]) -> None:
        if len(self._observer.steps) == self._check.steps:  # a loop that goes on: all was seen
            raise FinishedError
        self._observer.feed(batch)

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        self._observer.told(step, logs)

    def end(self) -> None:
        """Tell what a loop has reported, once a step; ask whether the weights were held still."""
        for step, loss in enumerate(self._reported, start=1):
            self._observer.told(step, {"loss": loss})
        if not self._stayed:
            self._check_held()

    def _check_held(self) -> None:
        # a gradient that is not a number spoils weights at any learning rate, and is found by itself
        if self._models is None or not all(math.isfinite(step.grad_norm) for step in self._observer.steps):
            return
        if is_sharded(self._models[0]) and not dist.is_initialized():
            raise WorkloadError(
                f"the program left its process group after {len(self._observer.steps)} of {self._check.steps} steps, "
                "so that its weights cannot be gathered to see whether they were held still; let it train on, or write "
                f"steps: {len(self._observer.steps)}"
            )
        check_weights_held(self._weights, sums_of(*self._models))
        self._stayed = True


def _frozen(trainer: Any) -> torch.nn.Module | None:
    """The reference model of preference tuning, without dropout; None where the trainer has none of its own."""
    model = reference_model_of(trainer)
    if model is not None:
        turn_off_dropout(model)
    return model


def _hold_still(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["lr"] * 0
        group["weight_decay"] = 0.0


class _OfReference:
    """Takes the model when its training would begin."""

    def __init__(self, job: Job, check: CheckConfig, compute: ReferenceOf) -> None:
        self._job = job
        self._check = check
        self._compute = compute
        self.done = False

    def begin(self, model: torch.nn.Module, trainer: Any) -> None:
        check_loss_is_per_sample(trainer)
        if engine_of(model) is not None or is_partitioned(model):
            raise WorkloadError(
                "the program makes DeepSpeed's engine itself, so that there is no model without one to compute the "
                "reference with; let Trainer make it (deepspeed in its arguments), or accelerate (its environment)"
            )
        turn_off_dropout(model)
        check_same_start(self._job.run, "the reference", sums_of(model, _frozen(trainer)))
        self._compute(self._job, self._check, model, trainer)
        self.done = True
        raise FinishedError

    def fed(self, batch: Mapping[str, Any]) -> None:
        """Nothing is trained."""

    def told(self, step: int, logs: Mapping[str, Any]) -> None:
        """Nothing is told."""
