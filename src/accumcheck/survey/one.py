"""Check one class in its own process. Its workload is made once, and every job of its check is forked from there."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.config.splits import control_of
from accumcheck.errors import NoMediaError
from accumcheck.launch.endings import ending
from accumcheck.record import Environment, Reason
from accumcheck.runfolder.events import Ended, EventLog, Finished, Planned, Started
from accumcheck.runfolder.failures import read_errors, reason_of
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import REFERENCE, write_plan
from accumcheck.runfolder.membership import drawn_order
from accumcheck.survey.asked import on_text_alone
from accumcheck.work import worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split
    from accumcheck.workload.assemble import Workload

BACKEND = "gloo"
_LOST_PEER_SECONDS = 5.0
"""How long the other processes of a split may go on after one has failed, in seconds."""


def run_class(run: Path, check: CheckConfig, environment: Environment) -> None:
    """Run every split and the reference of one check, one after the other, and write into the run's folder.

    The files and events are those of `accumcheck.launch`, so the check can be judged like any other. The first split
    determines which samples belong to the step. The reference comes next, then the other splits.
    """
    assert check.splits is not None
    events, control = EventLog(run), control_of(check.splits)
    splits = sorted(check.splits, key=lambda split: split != control)
    events.emit(Planned(check.splits, control, environment))
    try:
        check, workload = _built(check)
    except Exception as error:
        traceback.print_exc()
        reason = reason_of(error, run)
        for split in splits:
            events.emit(Finished(str(split), "error", reason, 0.0))
    else:
        _run_jobs(run, check, workload, splits, events)
    write_plan(run, check)
    events.emit(Ended())


def _built(check: CheckConfig) -> tuple[CheckConfig, Workload]:
    """The check and its workload. If no images can be made, it is the check on text alone.

    Raises:
        Exception: any exception while the workload is made.
    """
    from accumcheck.workload.assemble import build_workload

    try:
        return check, build_workload(check, "cpu")
    except NoMediaError:
        with contextlib.suppress(Exception):
            text = on_text_alone(check)
            workload = build_workload(text, "cpu")
            workload.model(**workload.collator(workload.samples[:1]))  # some do not run without images
            return text, workload
        raise


def _run_jobs(run: Path, check: CheckConfig, workload: Workload, splits: list[Split], events: EventLog) -> None:
    is_referred = False
    for split in splits:
        job = Job(str(split), split.num_processes, run / str(split), check, "cpu", BACKEND)
        failed = _run_job(job, workload, events) is not None
        if failed or is_referred:
            continue
        is_referred = True
        members = tuple(tuple(sorted(set(step) - {-1})) for step in drawn_order(job.folder))
        _run_job(Job(REFERENCE, 1, run / REFERENCE, check, "cpu", BACKEND, membership=members), workload, events)


def _run_job(job: Job, workload: Workload, events: EventLog) -> Reason | None:
    """Run one job in forked processes. Returns why it failed, or None."""
    started = time.monotonic()
    job.folder.mkdir()
    events.emit(Started(job.name))
    port = _free_port() if job.processes > 1 else 0
    pids = [forked(partial(_work, job, workload, rank, port)) for rank in range(job.processes)]
    codes = _ends_of(pids)
    reason = None
    if any(codes):
        causes = read_errors(job.folder)
        rank, code = next((rank, code) for rank, code in enumerate(codes) if code)
        reason = causes[0].reason if causes else Reason("crashed", f"process {rank} {ending(code)}")
    events.emit(Finished(job.name, "error" if reason else "ran", reason, round(time.monotonic() - started, 3)))
    return reason


def _work(job: Job, workload: Workload, rank: int, port: int) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(job.processes),
        LOCAL_WORLD_SIZE=str(job.processes),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    worker.run(job, workload)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ends_of(pids: list[int]) -> list[int]:
    """Wait for all processes. If one fails, the others are killed after a while. Returns Python's exit codes."""
    codes: dict[int, int] = {}
    deadline: float | None = None
    while len(codes) < len(pids):
        for pid in pids:
            if pid in codes:
                continue
            found, status = os.waitpid(pid, os.WNOHANG if len(pids) > 1 else 0)
            if found:
                codes[pid] = os.waitstatus_to_exitcode(status)
        if any(codes.values()) and deadline is None:
            deadline = time.monotonic() + _LOST_PEER_SECONDS
        if deadline is not None and time.monotonic() > deadline:
            for pid in set(pids) - set(codes):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if len(codes) < len(pids):
            time.sleep(0.005)
    return [codes[pid] for pid in pids]


def forked(work: Callable[[], object]) -> int:
    """Do ``work`` in a forked process, which ends with 0, or with 1 if it raised. Returns the process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
