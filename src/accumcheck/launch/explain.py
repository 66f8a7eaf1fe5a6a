"""Explains in one line why a job failed."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from accumcheck.launch.endings import ending
from accumcheck.record import Reason
from accumcheck.runfolder.crash import last_printed
from accumcheck.runfolder.job import Failure, Job
from accumcheck.runfolder.layout import logs_of
from accumcheck.runfolder.space import EXIT_NO_SPACE, no_space


@dataclass(frozen=True, slots=True)
class End:
    """How a job ended.

    ``exits``: the exit codes of failed processes by rank; ``error``: an exception in torchrun's agent itself,
    after ``seconds`` at ``endpoint``; ``killed``: the ranks that we killed; ``errors``: what the workers reported,
    the earliest first; ``left``: the ranks that ended with exit code 0 before they had reported everything;
    ``server_death``: how the fork server ended, in words; ``full``: which device is full, in words.
    """

    exits: Mapping[int, int] = field(default_factory=dict)
    error: Exception | None = None
    seconds: float = 0.0
    endpoint: str = ""
    killed: frozenset[int] = frozenset()
    errors: Sequence[Failure] = ()
    left: frozenset[int] = frozenset()
    server_death: str | None = None
    full: str | None = None


def explain(job: Job, end: End) -> Failure:
    """The cause of the failure.

    A dead fork server comes first, since workers then end without a message; then a signal that we did not send, since
    the others only report the lost connection; then a process that left without a message, for the same reason; then
    the first worker's own error; then a full device, where workers cannot write a message, and writing to a mapped file
    ends with SIGBUS; then the exit code.
    """
    if end.server_death is not None:
        return _crashed(f"{end.server_death}; it starts all processes of the run, and they end with it")
    # processes that the agent stopped afterwards ended with SIGTERM
    own = {rank: code for rank, code in end.exits.items() if code != -signal.SIGTERM and rank not in end.killed}
    struck = {rank: code for rank, code in own.items() if code < 0}
    if end.left and not struck:
        return _crashed(
            f"process {min(end.left)} of {job.processes} ended with exit code 0 before its training was over; the "
            "program ends or replaces its own process (os._exit, os.execv, exit in C code)"
        )
    if end.errors and not struck:
        return end.errors[0]
    by_full_device = -signal.SIGBUS in struck.values() or not struck
    if (end.full is not None and by_full_device) or EXIT_NO_SPACE in end.exits.values():
        return _crashed(end.full or no_space(job.folder))
    if end.error is not None:
        text = str(end.error).strip().splitlines() or [""]
        waited = f"at {end.endpoint} after {end.seconds:.0f} s"
        return _crashed(f"torchrun's agent failed {waited}: {type(end.error).__name__}: {text[0]}")
    if not end.exits:
        return _crashed(f"torchrun's agent did not return after {end.seconds:.0f} s")
    rank, code = next(iter((struck or own or end.exits).items()))
    printed = last_printed(logs_of(job.run, job.name), rank % job.local_processes)
    return Failure(Reason("crashed", f"process {rank} of {job.processes} {ending(code)}", printed))


def _crashed(text: str) -> Failure:
    return Failure(Reason("crashed", text))
