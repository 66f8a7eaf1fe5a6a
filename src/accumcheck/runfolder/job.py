"""What one group of processes is asked to do, and the files through which it answers.

Layout of a run's folder::

    plan.json               the resolved configuration
    events.jsonl            the event log
    conductor.log           what the conductor printed
    reference/              one job: the reference (`accumcheck.reference.run`)
    1x128x1/                one job: a split
        error-R.json        why process R failed
        process-R.json      what process R saw
        process-R-step-S.npy
        process-R-unapplied.json    what process R saw after its last step, if anything
        logs/               standard output and standard error of every process
"""

from __future__ import annotations

import json
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REFERENCE = "reference"
RECOMPUTED = "recomputed.npy"
"""In the reference's folder: the gradients of `accumcheck.record.Recomputation`, one row each."""
ARGUMENTS = "training-arguments.json"
"""In a split's folder: the training arguments that a program made for itself, as far as they are plain values."""
PROGRAM = "program.json"
"""In a split's folder: the `accumcheck.record.ProgramRecord` of its first process."""
BATCHED = {"gradient": "batched.npy", "term_gradient": "batched-term.npy"}
"""In the reference's folder: the arrays of `accumcheck.record.BatchedStep`, one row a step."""


@dataclass(frozen=True, slots=True)
class Job:
    """One group of ``processes`` workers. ``gpus`` are the indices it may use; none on a CPU.

    ``membership`` is, for the reference, the samples of each step as the splits were fed them.
    """

    name: str
    processes: int
    folder: str
    events: str
    check: dict[str, Any]
    device: str
    backend: str
    gpus: tuple[int, ...] = ()
    membership: tuple[tuple[int, ...], ...] = ()
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: one line for the user, and whether every other job would fail in the same way."""

    reason: str
    common: bool = False


_ANNOUNCED = 6
"""Lines that are told of an error whose first only says what follows, such as DeepSpeed's list of settings."""


def write_error(folder: Path, process: int, error: BaseException, *, common: bool) -> None:
    """Leave the cause of a worker's death where the conductor finds it."""
    record = {
        "reason": describe(error),
        "common": common,
        "traceback": "".join(traceback.format_exception(type(error), error, error.__traceback__)),
    }
    (folder / f"error-{process}.json").write_text(json.dumps(record), encoding="utf-8")


def read_errors(folder: Path) -> list[Failure]:
    """The causes that workers left, the earliest first."""
    files = sorted(folder.glob("error-*.json"), key=lambda path: path.stat().st_mtime_ns)
    records = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    return [Failure(record["reason"], record["common"]) for record in records]


def describe(error: BaseException) -> str:
    """The error's class and the first line of its text, with the few after it where it ends in a colon."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    if lines and lines[0].endswith(":"):
        lines = [" ".join(lines[:_ANNOUNCED])]
    name = type(error).__name__
    if name in ("OutOfMemoryError", "MemoryError"):
        return "out of memory" + (f": {lines[0]}" if lines else "")
    if name.endswith("WorkloadError"):
        return lines[0] if lines else name
    return f"{name}: {lines[0]}" if lines else name


def to_plain(job: Job) -> dict[str, Any]:
    """The job as JSON types."""
    return asdict(job)
