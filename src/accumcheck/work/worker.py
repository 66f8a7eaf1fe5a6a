"""The entry point of every worker process. It is started by torchrun's agent and runs one job to its end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from accumcheck.config.model import CheckConfig
from accumcheck.record import Split
from accumcheck.runfolder.events import EventLog, StepDone, WorkerDone, WorkerStarted
from accumcheck.runfolder.failures import write_error
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.runfolder.of_split import write_trajectory
from accumcheck.runfolder.space import EXIT_NO_SPACE, is_no_space
from accumcheck.runfolder.steps import SeenStep, has_steps, write_steps
from accumcheck.stacks.protocol import LoopSpec, ProgramSpec
from accumcheck.stacks.registry import find_stack
from accumcheck.work.end_with_parent import end_with_parent
from accumcheck.work.imports import ImportNotes

if TYPE_CHECKING:
    from accumcheck.workload.assemble import Workload

EXIT_FAILED = 1
LOST_PEER_SECONDS = 0.5
"""How long a failed process waits before it exits, if there are several: ten times the agent's polling interval."""


def run(job: Job, workload: Workload | None = None) -> None:
    """Do the job and report when all results are written; on failure record the cause and end this process.

    ``workload``: if the process that forked this one has made it already; otherwise it is made here.
    """
    process = int(os.environ["RANK"])
    check, events, notes = job.check, EventLog(job.run), ImportNotes()
    try:
        events.emit(WorkerStarted(job.name, process, os.getpid()))
        _prepare_process(job)
        stack = find_stack(check.stack)
        if isinstance(stack, ProgramSpec):
            _run_program(stack, job, check, process)
        else:
            from accumcheck.work.prepared import prepared

            workload = workload or prepared(job) or _build(check, job.device)
            _run_loop(stack, job, check, workload, process)
        notes.write(job, check, process)
        events.emit(WorkerDone(job.name, process))
    except BaseException as error:
        notes.write(job, check, process, error)
        # the workload is the same for every job; a program may fail under only one split
        common = (workload is None and not check.runs_program) or getattr(error, "ends_run", False)
        _fail(job, process, error, common=common)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _fail(job: Job, process: int, error: BaseException, *, common: bool) -> NoReturn:
    """Record the cause for the conductor, and the traceback in the log; then end, whatever still runs here.

    If the exception went on, torch would write its own files, which it cannot read back from a full device.
    """
    code = EXIT_FAILED
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    try:
        write_error(job.folder, process, error, common=common)
    except OSError as obstacle:
        code = EXIT_NO_SPACE if is_no_space(obstacle) or is_no_space(error) else EXIT_FAILED
    with contextlib.suppress(OSError):
        traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
    if job.processes > 1:  # peers notice a lost connection at once: the agent must first see which process died
        time.sleep(LOST_PEER_SECONDS)
    for child in multiprocessing.active_children():  # a data loader's
        child.terminate()
    os._exit(code)


def _prepare_process(job: Job) -> None:
    """Do what must be done before CUDA is touched, and make sure that this process cannot outlive the run."""
    end_with_parent()  # the fork server, which ends with the conductor
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if job.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = _visible(job.gpus, os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        # several processes on one GPU: the stack takes cuda:LOCAL_RANK, so ranks share the existing numbers
        os.environ["LOCAL_RANK"] = str(int(os.environ["LOCAL_RANK"]) % len(job.gpus))
    elif job.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["ACCELERATE_USE_CPU"] = "true"
    from accumcheck.work.prepared import compute_alike

    compute_alike()


def _visible(gpus: tuple[int, ...], already: str) -> str:
    """``CUDA_VISIBLE_DEVICES`` for these GPUs, which are counted among those that the user left visible."""
    names = [name.strip() for name in already.split(",") if name.strip()]
    return ",".join(names[gpu] if gpu < len(names) else str(gpu) for gpu in gpus)


def _build(check: CheckConfig, device: str) -> Workload:
    from accumcheck.workload.assemble import build_workload

    return build_workload(check, f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" else device)


def _run_program(stack: ProgramSpec, job: Job, check: CheckConfig, process: int) -> None:
    """Run the user's program, which has its own workload."""
    from accumcheck.capture.patches import Patches
    from accumcheck.hotfixes.apply import SEAMS, apply_to_every_trainer
    from accumcheck.stacks.programs.run import run_split, run_witness

    if job.name == REFERENCE:
        from accumcheck.work.fed_reference import reference_of_fed
        from accumcheck.work.mixing import steps_of
        from accumcheck.work.second_run import second_run

        def run_again(split: Split) -> None:
            each = split.per_device_train_batch_size * split.gradient_accumulation_steps
            other = replace(check, steps=steps_of(split, check), splits=(split,), global_batch_size=each, update="off")
            folder = job.folder / str(split)
            folder.mkdir()
            with Patches(stack.seams) as patches:
                run_split(stack, replace(job, name=str(split), folder=folder, check=other), other, 0, patches)

        with second_run(run_again) as again, Patches(stack.seams) as patches:
            run_witness(stack, job, check, partial(reference_of_fed, again=again), patches)
        return
    with Patches(stack.seams if check.hotfix is None else (*stack.seams, *SEAMS)) as patches:
        check_trainer_was_made = apply_to_every_trainer(check.hotfix, patches) if check.hotfix is not None else None
        observer = run_split(stack, job, check, process, patches)
        if check_trainer_was_made is not None:
            check_trainer_was_made()
    if job.nodes > 1:
        _gather_across_nodes(job.folder, process, observer.steps)


def _run_loop(stack: LoopSpec, job: Job, check: CheckConfig, workload: Workload, process: int) -> None:
    """Run one of the stacks that train accumcheck's own workload, or its reference."""
    if job.name == REFERENCE:
        from accumcheck.reference.run import run_reference

        run_reference(job, check, workload)
    else:
        _run_split(stack, job, check, workload, process)


def _run_split(stack: LoopSpec, job: Job, check: CheckConfig, workload: Workload, process: int) -> None:
    from accumcheck.capture.observer import Observer
    from accumcheck.capture.patches import Patches
    from accumcheck.stacks.protocol import Training
    from accumcheck.stacks.updates.real import real_updates, runs_updates

    folder = job.folder
    split = Split.parse(job.name)
    events = EventLog(job.run)

    def on_step(step: int) -> None:
        if process == 0:
            events.emit(StepDone(job.name, step))

    loop = stack.make(check.stack.partition(":")[2])
    training = Training(
        check,
        split,
        workload.model,
        workload.samples,
        workload.collator,
        folder,
        device=job.device,
        backend=job.backend,
        updates=runs_updates(check),
    )
    k = split.gradient_accumulation_steps
    observer = Observer(folder, process, workload.index, on_step, accumulation_steps=k)
    with Patches(stack.seams) as patches, real_updates(training, observer, patches):
        loop.train(training, observer)
        observer.stop()
    observer.write()
    if job.nodes > 1:
        _gather_across_nodes(folder, process, observer.steps)
    if check.trajectory_steps:
        points = loop.train_freely(training)
        if process == 0:
            write_trajectory(folder, points)


def _gather_across_nodes(folder: Path, process: int, steps: Sequence[SeenStep]) -> None:
    """Collect the views of processes on other machines (without gradients) in the first one's folder."""
    import torch.distributed as dist

    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, steps)
    if process == 0:
        for other, seen in enumerate(gathered):
            if not has_steps(folder, other):
                write_steps(folder, other, seen)
