"""A program as a job: under one split, watched; or alone, for the reference."""

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
from accumcheck.stacks.programs.handover import TRAINING_ARGUMENTS, Handover
from accumcheck.stacks.programs.loop_draws import LoopDraws
from accumcheck.stacks.programs.plain_python import PlainPython
from accumcheck.stacks.programs.settings import UNSHARDED, forget_sharding, override, settings_of
from accumcheck.stacks.programs.spectators import OfSplit, OfWitness
from accumcheck.stacks.programs.untold import HOW_TO_TELL
from accumcheck.stacks.programs.watch import FinishedError, Watch
from accumcheck.stacks.programs.witness import Witness

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.protocol import ProgramSpec


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
        RefusedError: the program ended without having trained, or does what cannot be watched.
        BaseException: whatever the program raises.
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
    spectator.end()
    observer.write()
    rows.write(folder, process)
    if process == 0:
        write_program(folder, ProgramRecord(handover.ways, rows.sample, tuple(dict.fromkeys(drawing))))
    return observer


Compute: TypeAlias = "Callable[[Job, CheckConfig, Witness], None]"


def run_witness(stack: ProgramSpec, job: Job, check: CheckConfig, compute: Compute, patches: Patches) -> None:
    """Let the program train one row per micro-batch, and compute the truth of what the splits were fed.

    Weights are held still, so that its model is the same before and after.

    Args:
        stack: what is run.
        job: the reference's.
        check: the resolved configuration.
        compute: computes that truth, see `accumcheck.work.fed_reference.reference_of_fed`.
        patches: undone by the caller, when the job has ended.

    Raises:
        RefusedError: the program ended without having trained.
        BaseException: whatever the program raises before its training begins.
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
    patches.undo()  # what is computed from here on is not the program's
    if spectator.model is None or observer.coordinates is None:
        raise RefusedError(f"{stack.title(check)} ended without training")
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
    """Check that the program has trained under the split: one that ignored it would agree with itself.

    One that was handed the numbers, and feeds micro-batches of the right size but steps after another number of them,
    is not refused: that is a fault of the program's, which the judge names.

    Args:
        split: the one that was asked for.
        ways: how the program took the numbers, see `Handover.ways`.
        fed: the rows of every micro-batch that this process fed the model in its first step.

    Raises:
        RefusedError: there were other micro-batches.
    """
    b, k = split.per_device_train_batch_size, split.gradient_accumulation_steps
    sizes = [len(rows) for rows in fed]
    if sizes == [b] * k or (ways and sizes and set(sizes) == {b}):
        return
    found = ", ".join(dict.fromkeys(map(str, sizes)))
    raise RefusedError(
        f"the program ignored the split: its first step was {len(fed)} micro-batches of {found} rows, "
        f"where {split} asks for {k} of {b}; {_if_fixed(split, sizes)}where it makes no TrainingArguments, pass it the "
        f"numbers, for example {HOW_TO_TELL}"
    )


def _if_fixed(split: Split, sizes: Sequence[int]) -> str:
    """What to do where the program feeds micro-batches of one size, which is another than the split's."""
    b, total = sizes[0] if sizes else 0, split.global_batch_size
    if len(set(sizes)) != 1 or b == split.per_device_train_batch_size or total % b:
        return ""
    counts = [n for n in (1, 2, 4, 8) if total % (n * b) == 0]
    shown = ", ".join(str(Split(n, b, total // (n * b))) for n in counts)
    return f"if its batch size is fixed at {b}, let n and k vary alone, for example splits: [{shown}]; "


def _begin_plain(job: Job, check: CheckConfig, patches: Patches) -> PlainPython:
    """Keep torchrun's variables from a program that is one process, unless it is to have them."""
    plain = PlainPython()
    if job.processes == 1 and check.launcher.single_process == "python":
        plain.begin(patches)
    return plain


def _run(stack: ProgramSpec, check: CheckConfig, handover: Handover, patches: Patches, plain: PlainPython) -> None:
    patches.assign(sys, "argv", list(sys.argv))
    patches.assign(sys, "path", list(sys.path))
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
