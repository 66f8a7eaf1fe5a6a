"""Runs the jobs of one plan, in parallel as far as there are slots, and writes the event log."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from accumcheck.config.model import CheckConfig
from accumcheck.config.splits import auto_splits, control_of
from accumcheck.launch.devices import Devices, detect
from accumcheck.launch.environment import describe_environment
from accumcheck.launch.fits import backend_of, local_processes, machines_of, why_not
from accumcheck.launch.fork_server import ForkServer
from accumcheck.launch.lifetime import Lifetime
from accumcheck.launch.schedule import is_small, running_order, slots_of, take_fitting
from accumcheck.launch.vigil import Workers
from accumcheck.record import Split
from accumcheck.runfolder.events import (
    Ended,
    Event,
    EventFollower,
    EventLog,
    Finished,
    Planned,
    Started,
    WorkerDone,
    WorkerStarted,
)
from accumcheck.runfolder.failures import reason_of
from accumcheck.runfolder.job import Failure, Job
from accumcheck.runfolder.layout import REFERENCE, read_plan
from accumcheck.runfolder.membership import drawn_order, global_batches, unapplied_order

POLL_SECONDS = 0.005


class Conductor:
    """Runs one plan from its folder."""

    def __init__(self, run: Path, server: ForkServer, lifetime: Lifetime) -> None:
        self._run, self._server, self._lifetime = run, server, lifetime
        self._check = read_plan(CheckConfig, run)
        self._events = EventLog(run)
        self._follower = EventFollower(run)
        self._workers: dict[str, Workers] = {}
        self._processes: dict[str, int] = {}
        self._lock = threading.Condition()
        self._ended: list[str] = []
        self._common: Failure | None = None
        self._spread: Failure | None = None
        self._offset = 0

    def lead(self) -> None:
        """Run everything; returns when the last job has ended."""
        check = self._check
        devices = detect(check.launcher.device)
        splits = check.splits or auto_splits(check.global_batch_size, max(devices.count, 1))
        control = control_of(splits)
        backend = backend_of(devices.kind, max(split.num_processes for split in splits), devices.count)
        self._emit(Planned(tuple(splits), control, describe_environment(check.known_stack, devices, backend)))
        runnable: list[Split] = []
        for split in splits:
            if (reason := why_not(split, check, devices)) is not None:
                self._emit(Finished(str(split), "skipped", reason, 0.0))
            elif check.launcher.node_rank == 0 or machines_of(split, check) > 1:
                runnable.append(split)
        order = running_order(
            [(str(split), split.num_processes, split.gradient_accumulation_steps) for split in runnable], str(control)
        )
        self._run_all(order, devices)
        self._emit(Ended())

    def _emit(self, event: Event) -> None:
        """Write an event; if that fails, the conductor ends."""
        try:
            self._events.emit(event)
        except OSError as error:
            self._lifetime.fail(error)

    # --- the schedule -------------------------------------------------------------------------------------------------

    def _run_all(self, order: list[str], devices: Devices) -> None:
        """Start jobs that fit and wait for them. The reference starts once the first split has reported its samples."""
        slots = slots_of(self._check, devices.kind, devices.count)
        waiting = [(name, local_processes(Split.parse(name), self._check)) for name in order]
        threads: dict[str, threading.Thread] = {}
        reference_due = self._check.launcher.node_rank == 0 and bool(order)
        while waiting or threads or reference_due:
            if self._common is not None:
                for name, _ in waiting:
                    self._finish(name, self._common, 0.0)
                waiting, reference_due = [], False
            if self._spread is not None:
                waiting = self._without_spread(waiting, self._spread)
            awaited = order[0] in threads or order[0] in [name for name, _ in waiting]
            if self._check.runs_program and (waiting or threads):
                membership: tuple[tuple[int, ...], ...] = ()  # known when all splits have ended
            else:
                membership = self._membership(order[:1] if awaited else order) if reference_due else ()
            if reference_due and (membership or not (waiting or threads)):
                if not membership:  # no split ran: there is nothing to compute a reference for
                    reference_due = False
                    continue
                if (taken := slots.take(REFERENCE, 1)) is not None:
                    reference_due = False
                    threads[REFERENCE] = self._start(REFERENCE, 1, devices.kind, taken, membership)
            for name, taken in take_fitting(waiting, slots):
                threads[name] = self._start(name, Split.parse(name).num_processes, devices.kind, taken, ())
            with self._lock:
                self._lock.wait_for(lambda: bool(self._ended), timeout=POLL_SECONDS if threads else 0)
                ended, self._ended = self._ended, []
            for name in ended:
                del threads[name]
            # the next small job may start while this one's processes end; the memory of a large one is needed
            early = is_small(self._check, devices.kind) and self._check.launcher.nnodes == 1
            over = self._reported(threads) if early else []
            for name in (*ended, *over):
                slots.release(name)

    def _start(
        self, name: str, processes: int, device: str, taken: tuple[int, ...], membership: tuple[tuple[int, ...], ...]
    ) -> threading.Thread:
        nodes = 1 if name == REFERENCE else machines_of(Split.parse(name), self._check)
        job = Job(
            name=name,
            processes=processes,
            folder=self._run / name,
            check=self._check,
            device=device,
            backend=backend_of(device, processes // nodes, len(taken)),
            gpus=() if device == "cpu" else taken,
            membership=membership,
            nodes=nodes,
        )
        offset = self._offset
        if nodes == self._check.launcher.nnodes:  # the jobs that use rdzv_endpoint, the same on every machine
            self._offset += 1
        self._processes[name] = job.local_processes
        self._emit(Started(name))
        thread = threading.Thread(target=self._lead_job, args=(job, offset), daemon=True)
        thread.start()
        return thread

    def _lead_job(self, job: Job, offset: int) -> None:
        from accumcheck.launch.run_job import run_job  # it imports torch's agent, which takes a while

        started = time.monotonic()
        try:
            job.folder.mkdir()
            failure = run_job(
                job,
                self._check.launcher,
                offset,
                lambda: self._workers_of(job.name),
                self._server,
                lambda: self._common,
            )
        except BaseException as error:  # the thread must report, whatever happens
            failure = Failure(reason_of(error, self._run))
        if failure is not None and failure.common:
            self._common = self._common or failure
        if failure is not None and failure.spread:
            self._spread = self._spread or failure
        self._finish(job.name, failure, time.monotonic() - started)
        with self._lock:
            self._ended.append(job.name)
            self._lock.notify()

    def _without_spread(self, waiting: list[tuple[str, int]], failure: Failure) -> list[tuple[str, int]]:
        """End the waiting jobs that need a machine that is lost; returns the others."""
        left = []
        for name, slots in waiting:
            if machines_of(Split.parse(name), self._check) > 1:
                self._finish(name, failure, 0.0)
            else:
                left.append((name, slots))
        return left

    def _finish(self, name: str, failure: Failure | None, seconds: float) -> None:
        reason = None if failure is None else failure.reason
        self._emit(Finished(name, "ran" if reason is None else "error", reason, round(seconds, 3)))

    # --- what is known ------------------------------------------------------------------------------------------------

    def _membership(self, sources: Sequence[str]) -> tuple[tuple[int, ...], ...]:
        """The samples of each step, from the first of these splits that has trained; empty if none has.

        That is the control, or another split if the control did not run.
        """
        for name in sources:
            with contextlib.suppress(FileNotFoundError):
                steps = drawn_order(self._run / name)
                epochs = self._check.data.epochs
                if epochs is not None and not self._check.runs_program:  # a program's data set is not known
                    rest, samples = unapplied_order(self._run / name), self._check.sample_count
                    size = self._check.global_batch_size
                    steps = global_batches(steps, rest, size=size, samples=samples, epochs=epochs)
                if self._check.runs_program:  # rows may be identical
                    return tuple(map(tuple, steps))
                return tuple(tuple(sorted(set(step) - {-1})) for step in steps)
        return ()

    def _workers_of(self, name: str) -> Workers:
        with self._lock:
            self._read_events()
            return self._workers.get(name, Workers())

    def _reported(self, names: Iterable[str]) -> list[str]:
        """Those of these jobs whose processes have all reported everything."""
        with self._lock:
            try:
                self._read_events()
            except OSError as error:
                self._lifetime.fail(error)
            workers = {name: self._workers.get(name, Workers()) for name in names}
        return [name for name, found in workers.items() if len(found.done) == self._processes[name]]

    def _read_events(self) -> None:
        for event in self._follower.new():
            if isinstance(event, WorkerStarted | WorkerDone):
                self._workers[event.job] = self._workers.get(event.job, Workers()).after(event)
