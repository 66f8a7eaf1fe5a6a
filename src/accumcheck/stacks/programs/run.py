"""Run a program as a job: under one split, watched; or in one process, for the reference."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from accumcheck.capture.collators import give_rows_their_own_numbers
from accumcheck.capture.observer import Observer
from accumcheck.capture.patches import Patches
from accumcheck.errors import RefusedError
from accumcheck.record import ProgramRecord, Split
from accumcheck.rows.fed import Rows
from accumcheck.runfolder.events import EventLog, StepDone
from accumcheck.runfolder.failures import describe
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_split import write_program
from accumcheck.runfolder.steps import read_contributions
from accumcheck.stacks.programs.engines import engine_of_splits, leave_models_whole
from accumcheck.stacks.programs.groups import use_gloo
from accumcheck.stacks.programs.handover import TRAINING_ARGUMENTS, Handover
from accumcheck.stacks.programs.loop_draws import LoopDraws
from accumcheck.stacks.programs.main_process import become_main_process
from accumcheck.stacks.programs.plain_python import PlainPython
from accumcheck.stacks.programs.settings import UNSHARDED, forget_sharding, override, settings_of
from accumcheck.stacks.programs.spectators import OfSplit, OfWitness
from accumcheck.stacks.programs.untold import HOW_TO_TELL
from accumcheck.stacks.programs.watch import FinishedError, Watch
from accumcheck.stacks.programs.witness import Witness
from accumcheck.stacks.updates.hold_still import HoldStill

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.protocol import ProgramSpec


def run_split(stack: ProgramSpec, job: Job, check: CheckConfig, process: int, patches: Patches) -> Observer:
    """Train under one split. Every process of the split calls this.

    Args:
        stack: the stack of the program.
        job: the job of the split.
        check: the resolved configuration.
        process: the rank of this process.
        patches: the caller undoes them when the job has ended.

    Returns:
        The observer, whose observations are already written.

    Raises:
        RefusedError: the program ended without training, or it cannot be watched.
        BaseException: any exception of the program.
    """
    split = Split.parse(job.name)
    folder = job.folder
    events = EventLog(job.run)

    def on_step(step: int) -> None:
        if process == 0:
            events.emit(StepDone(job.name, step))

    rows = Rows(split.per_device_train_batch_size)
    k = split.gradient_accumulation_steps
    observer = Observer(folder, process, rows, on_step, accumulation_steps=k)
    handover = Handover(split, check.steps, patches)
    settings = settings_of(check, split, output=str(folder / "output"), device=job.device, backend=job.backend)
    plain = _begin_plain(job, check, patches)
    if job.device == "cuda" and job.backend == "gloo":
        use_gloo(patches)

    def made(arguments: Any) -> None:
        handover.take(TRAINING_ARGUMENTS)
        plain.made(arguments)

    override(settings, patches, made, updates=check.update == "auto")
    spectator = OfSplit(check, observer, rows, folder, process, patches)
    spectator.watch = Watch(spectator, patches)
    drawing: list[str] = []
    draws = LoopDraws(patches, drawing.append)
    spectator.watch.holds = draws.hold
    give_rows_their_own_numbers(patches, drawing.append, draws.watch)
    _run(stack, check, handover, patches, plain)
    observer.stop()
    if not observer.steps:
        raise RefusedError(f"{stack.title(check)} ended without an optimizer step")
    check_split_was_followed(split, handover.ways, [batch.samples for batch in observer.steps[0].micro_batches])
    check_one_set_of_weights(spectator.still)
    spectator.end()
    observer.write()
    rows.write(folder, process)
    if process == 0:
        write_program(folder, ProgramRecord(handover.ways, rows.sample, tuple(dict.fromkeys(drawing))))
    return observer


Compute: TypeAlias = "Callable[[Job, CheckConfig, Witness], None]"


def run_witness(stack: ProgramSpec, job: Job, check: CheckConfig, compute: Compute, patches: Patches) -> None:
    """Let the program train with one row per micro-batch, and compute the reference for the rows that the splits used.

    The weights are held still, so the model is the same before and after.

    Args:
        stack: the stack of the program.
        job: the job of the reference.
        check: the resolved configuration.
        compute: computes the reference, see `accumcheck.work.fed_reference.reference_of_fed`.
        patches: the caller undoes them when the job has ended.

    Raises:
        RefusedError: the program ended without training.
        BaseException: any exception of the program before its training begins.
    """
    split = Split(1, 1, check.global_batch_size)
    rows = Rows(1)
    observer = Observer(
        job.folder, 0, rows, lambda _: None, accumulation_steps=split.gradient_accumulation_steps, whole=True
    )
    handover = Handover(split, check.steps, patches)
    settings = settings_of(check, split, output=str(job.folder / "output"), device=job.device, backend=job.backend)
    forget_sharding()
    engine = engine_of_splits(job.run)
    if engine is not None:
        leave_models_whole(patches)
    plain = _begin_plain(job, check, patches)
    # weights that the engine cast to 16 bits need no autocast
    precision = {"bf16": False, "fp16": False} if engine is not None and engine.dtype else {}
    override({**settings, **UNSHARDED, **precision}, patches, updates=False)
    spectator = OfWitness(check, observer, rows, job, patches)
    spectator.engine = engine
    spectator.watch = Watch(spectator, patches)
    draws = LoopDraws(patches)
    spectator.watch.holds = draws.hold
    give_rows_their_own_numbers(patches, made_loader=draws.watch)
    problem = ""
    try:
        _run(stack, check, handover, patches, plain)
    except Exception as error:
        if spectator.model is None:
            raise
        problem = "" if spectator.ended else describe(error)
    observer.stop()
    patches.undo()  # from here on nothing belongs to the program
    if spectator.model is None or observer.coordinates is None:
        raise RefusedError(f"{stack.title(check)} ended without training")
    check_one_set_of_weights(spectator.still)
    for module in spectator.training:
        module.training = True
    seen = [read_contributions(job.folder, step, 1).get(0) for step in range(len(observer.steps))]
    compute(
        job,
        check,
        Witness(
            spectator.model,
            spectator.trainer,
            observer.coordinates,
            observer.steps,
            rows.forms,
            rows.fields,
            tuple(seen),
            problem,
            spectator.trains_again,
            spectator.counts,
            None if spectator.autocast is None else spectator.autocast.dtype,
        ),
    )


def check_split_was_followed(split: Split, ways: Sequence[str], fed: Sequence[Sequence[int]]) -> None:
    """Check that the program trained under the split. If it ignored the split, it would only agree with itself.

    A program that read the numbers and uses micro-batches of the right size may step after a wrong number of them. It
    is not refused: this is a fault of the program, which the judge names.

    Args:
        split: the requested split.
        ways: how the program read the numbers, see `Handover.ways`.
        fed: the rows of every micro-batch that this process fed the model in its first step.

    Raises:
        RefusedError: the micro-batches are not those of the split.
    """
    b, k = split.per_device_train_batch_size, split.gradient_accumulation_steps
    sizes = [len(rows) for rows in fed]
    if sizes == [b] * k or (ways and sizes and set(sizes) == {b}):
        return
    found = ", ".join(dict.fromkeys(map(str, sizes)))
    raise RefusedError(
        f"the program ignored the split: its first step had {len(fed)} micro-batches of {found} rows, "
        f"but {split} needs {k} of {b}; {_if_fixed(split, sizes)}if it makes no TrainingArguments, pass it the "
        f"numbers, for example {HOW_TO_TELL}"
    )


def check_one_set_of_weights(still: HoldStill | None) -> None:
    """Check that the micro-batches of a step have the same weights.

    Raises:
        RefusedError: the program has changed its weights within a step's window.
    """
    if still is not None and still.changed_within:
        raise RefusedError(
            "the program changes its weights between the micro-batches of one optimizer step, other than by an "
            "optimizer, so these are not the micro-batches of one set of weights, and nothing can be compared; change "
            "weights (decay, clamp, moving averages) only after the optimizer's step"
        )


def _if_fixed(split: Split, sizes: Sequence[int]) -> str:
    """Advice if all micro-batches of the program have one size, but not that of the split."""
    b, total = sizes[0] if sizes else 0, split.global_batch_size
    if len(set(sizes)) != 1 or b == split.per_device_train_batch_size or total % b:
        return ""
    counts = [n for n in (1, 2, 4, 8) if total % (n * b) == 0]
    shown = ", ".join(str(Split(n, b, total // (n * b))) for n in counts)
    return f"if its batch size is fixed at {b}, vary only n and k, for example splits: [{shown}]; "


def _begin_plain(job: Job, check: CheckConfig, patches: Patches) -> PlainPython:
    """Hide torchrun's variables from a program of one process, unless the configuration asks for them."""
    plain = PlainPython()
    if job.processes == 1 and check.launcher.single_process == "python":
        plain.begin(patches)
    return plain


def _run(stack: ProgramSpec, check: CheckConfig, handover: Handover, patches: Patches, plain: PlainPython) -> None:
    patches.assign(sys, "argv", list(sys.argv))
    patches.assign(sys, "path", list(sys.path))
    become_main_process(patches)
    try:
        stack.start(check, handover)
    except FinishedError:
        return
    except SystemExit as ended:
        if ended.code not in (None, 0):
            raise
    except Exception as error:
        plain.explain(error)
        raise
