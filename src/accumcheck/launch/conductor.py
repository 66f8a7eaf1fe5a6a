"""The process that leads a run: ``python -m accumcheck.launch.conductor FOLDER...``.

It imports torch beside the fork server, counts the devices, and runs the reference and every split through torchrun's
agent. It leads a process group of its own, and the whole group ends when the parent lets go of its standard input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from accumcheck.config.model import STACK_PACKAGES
from accumcheck.config.splits import auto_splits, control_of
from accumcheck.launch.schedule import Slots, running_order
from accumcheck.record import Environment, Split, Status
from accumcheck.runfolder.events import (
    Ended,
    EventFollower,
    EventLog,
    Finished,
    Planned,
    Started,
    WorkerStarted,
)
from accumcheck.runfolder.job import Failure, Job
from accumcheck.runfolder.layout import REFERENCE, RUN_FOLDER, read_plan
from accumcheck.runfolder.membership import drawn_order, global_batches, unapplied_order

AGENT_GRACE_SECONDS = 8.0
"""How long after a job's time limit its agent may take to come back before the run goes on without it."""


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the plans in the folders named by the arguments, one after the other, and exit with 0.

    What failed is in each folder's event log.
    """
    folders = [Path(argument) for argument in argv or sys.argv[1:]]
    _end_with_parent()
    _set_environment(folders[0])
    _start_fork_server()
    for folder in folders:
        Conductor(folder).lead()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # an agent that was given up must not hold the run back


def _end_with_parent() -> None:
    def wait_for_parent() -> None:
        sys.stdin.buffer.read()  # returns when the parent closes its end, or dies
        os.killpg(0, signal.SIGKILL)

    if os.getpgrp() == os.getpid():
        threading.Thread(target=wait_for_parent, daemon=True).start()


def _set_environment(folder: Path) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does
    os.environ[RUN_FOLDER] = str(folder)
    os.environ.update(
        CUBLAS_WORKSPACE_CONFIG=os.environ.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
        PYTORCH_NVML_BASED_CUDA_CHECK="1",  # counting GPUs must not start CUDA before the fork
        TOKENIZERS_PARALLELISM="false",
        TORCH_CPP_LOG_LEVEL=os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
    )
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        os.environ.pop(name, None)  # of a launcher that we were started by, perhaps: ours are torchrun's own


def _start_fork_server() -> None:
    import multiprocessing
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(["accumcheck.work.preload"])
    forkserver.ensure_running()


class Conductor:
    """Runs the jobs of one plan, side by side where there are slots, and says what happens in the event log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._check = read_plan(folder)
        self._events = EventLog(folder)
        self._follower = EventFollower(folder)
        self._pids: dict[str, dict[int, int]] = {}
        self._lock = threading.Condition()
        self._ended: list[str] = []
        self._common: Failure | None = None
        self._offset = 0
        self._started: dict[str, float] = {}

    def lead(self) -> None:
        """Run everything; returns when the last job has ended."""
        from accumcheck.launch.devices import detect

        check = self._check
        devices = detect(check.launcher.device)
        splits = check.splits or auto_splits(check.global_batch_size, max(devices.count, 1))
        control = control_of(splits)
        environment = Environment(
            **_versions(check.known_stack),
            device=devices.kind,
            device_name=devices.name,
            device_count=devices.count,
            backend=self._backend(devices.kind, max(split.num_processes for split in splits), devices.count),
        )
        self._events.emit(Planned(tuple(splits), control, environment))
        runnable: list[Split] = []
        for split in splits:
            if reason := self._why_not(split, devices.kind, devices.count):
                self._events.emit(Finished(str(split), "skipped", reason, 0.0))
            elif check.launcher.node_rank == 0 or self._nodes(split) > 1:
                runnable.append(split)
        order = running_order(
            [(str(split), split.num_processes, split.gradient_accumulation_steps) for split in runnable], str(control)
        )
        self._run_all(order, devices.kind, devices.count)
        self._events.emit(Ended())

    # --- the schedule -------------------------------------------------------------------------------------------------

    def _run_all(self, order: list[str], device: str, count: int) -> None:
        """Start what fits, wait for what ends. The reference starts when the first split has said what it was fed."""
        several_nodes = self._check.launcher.nnodes > 1
        slots = Slots(1 if several_nodes else max(count, 1))
        waiting = list(order)
        threads: dict[str, threading.Thread] = {}
        reference_due = self._check.launcher.node_rank == 0 and bool(order)
        while waiting or threads or reference_due:
            if self._common is not None:
                for name in waiting:
                    self._finish(name, self._common, 0.0)
                waiting, reference_due = [], False
            awaited = order[0] in waiting or order[0] in threads
            if self._check.runs_program and (waiting or threads):
                membership: tuple[tuple[int, ...], ...] = ()  # what splits are fed is known when all have ended
            else:
                membership = self._membership(order[:1] if awaited else order) if reference_due else ()
            if reference_due and (membership or not (waiting or threads)):
                if not membership:  # no split ran: there is nothing to refer to
                    reference_due = False
                    continue
                if (taken := slots.take(REFERENCE, 1)) is not None:
                    reference_due = False
                    threads[REFERENCE] = self._start(REFERENCE, 1, device, taken, membership)
            for name in list(waiting):
                processes = Split.parse(name).num_processes
                if (taken := slots.take(name, processes)) is not None:
                    waiting.remove(name)
                    threads[name] = self._start(name, processes, device, taken, ())
                elif processes > 1:
                    break  # do not let small splits starve a large one
            with self._lock:
                self._lock.wait_for(lambda: bool(self._ended), timeout=0.05 if threads else 0)
                ended, self._ended = self._ended, []
            for name in [*ended, *self._given_up(threads)]:
                if threads.pop(name, None) is not None:
                    slots.release(name)

    def _given_up(self, threads: Iterable[str]) -> list[str]:
        """Jobs whose agent does not come back although their time is over: it waits for someone who never comes."""
        from accumcheck.launch.agent import timed_out

        limit = self._check.launcher.timeout
        lost = [name for name in threads if time.monotonic() - self._started[name] > limit + AGENT_GRACE_SECONDS]
        for name in lost:
            self._finish(name, timed_out(limit), limit)
        return lost

    def _start(
        self, name: str, processes: int, device: str, taken: tuple[int, ...], membership: tuple[tuple[int, ...], ...]
    ) -> threading.Thread:
        folder = self._folder / name
        folder.mkdir()
        nodes = 1 if name == REFERENCE else self._nodes(Split.parse(name))
        job = Job(
            name=name,
            processes=processes,
            folder=folder,
            check=self._check,
            device=device,
            backend=self._backend(device, processes // nodes, len(taken)),
            gpus=() if device == "cpu" else taken,
            membership=membership,
            nodes=nodes,
        )
        offset = self._offset
        if nodes == self._check.launcher.nnodes:  # the jobs that use rdzv_endpoint, the same on every machine
            self._offset += 1
        self._events.emit(Started(name))
        self._started[name] = time.monotonic()
        thread = threading.Thread(target=self._lead_job, args=(job, offset), daemon=True)
        thread.start()
        return thread

    def _lead_job(self, job: Job, offset: int) -> None:
        from accumcheck.launch.agent import run_job

        started = time.monotonic()
        try:
            failure = run_job(job, self._check.launcher, offset, lambda: self._pids_of(job.name))
        except BaseException as error:  # the thread must report, whatever happens
            failure = Failure(f"{type(error).__name__}: {error}")
        if failure is not None and failure.common:
            self._common = failure
        self._finish(job.name, failure, time.monotonic() - started)
        with self._lock:
            self._ended.append(job.name)
            self._lock.notify()

    def _finish(self, name: str, failure: Failure | None, seconds: float) -> None:
        status: Status = "ran" if failure is None else "error"
        reason = "" if failure is None else failure.reason
        self._events.emit(Finished(name, status, reason, round(seconds, 3)))

    # --- what is known ------------------------------------------------------------------------------------------------

    def _membership(self, sources: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """The samples of each step as the first of these splits that has trained was fed them; empty before that.

        The control says it, and another split only where the control did not run.
        """
        for name in sources:
            with contextlib.suppress(FileNotFoundError):
                steps = drawn_order(self._folder / name)
                epochs = self._check.data.epochs
                if epochs is not None and not self._check.runs_program:  # whose data set is not known
                    rest, samples = unapplied_order(self._folder / name), self._check.sample_count
                    size = self._check.global_batch_size
                    steps = global_batches(steps, rest, size=size, samples=samples, epochs=epochs)
                if self._check.runs_program:  # rows may be alike
                    return tuple(map(tuple, steps))
                return tuple(tuple(sorted(set(step) - {-1})) for step in steps)
        return ()

    def _pids_of(self, name: str) -> dict[int, int]:
        with self._lock:
            for event in self._follower.new():
                if isinstance(event, WorkerStarted):
                    self._pids.setdefault(event.job, {})[event.process] = event.pid
            return dict(self._pids.get(name, {}))

    def _nodes(self, split: Split) -> int:
        """How many machines a split spans: all of them where its processes can be dealt out evenly, else one."""
        nnodes = self._check.launcher.nnodes
        return nnodes if split.num_processes % nnodes == 0 else 1

    def _why_not(self, split: Split, device: str, count: int) -> str:
        """Why this split cannot run here, or nothing."""
        needed = split.num_processes // self._nodes(split)
        if device == "cpu" or needed <= count:
            return ""
        sharded = bool(self._check.training_arguments.get("fsdp"))
        if count and self._check.launcher.oversubscribe and not sharded:
            return ""
        hint = "; launcher.oversubscribe: true puts several processes on one GPU" if count else ""
        if sharded:
            hint = (
                "; under FSDP every process has a GPU of its own: gloo, over which others talk, gathers no shards there"
            )
        return f"needs {needed} GPU{'' if needed == 1 else 's'}, {count} present{hint}"

    def _backend(self, device: str, processes: int, gpus: int) -> str:
        return "nccl" if device == "cuda" and processes <= gpus else "gloo"


def _versions(stack: str) -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": platform.platform()}
    packages = {"torch": "torch", "transformers": "transformers", "accelerate": "accelerate"}
    for name, package in {**packages, "stack_version": STACK_PACKAGES.get(stack)}.items():
        with contextlib.suppress(PackageNotFoundError):
            if package is not None:
                found[name] = version(package)
    return found


if __name__ == "__main__":
    main()
