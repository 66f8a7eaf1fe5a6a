"""A split's results other than steps; each file exists only if it has content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from accumcheck.record import ProgramRecord, StackBelief, TrainedRecord, TrajectoryPoint
from accumcheck.runfolder.codec import read_record, write_record

T = TypeVar("T")
PlainValue = bool | int | float | str

SWITCHED_OFF = "switched_off"
"""Training arguments that add noise, switched off for the check."""
_BELIEF = "belief.json"
_TRAJECTORY = "trajectory.json"
_PROGRAM = "program.json"
_TRAINED = "trained-{}.json"
_ENTRIES = "trained-{}-entries.npy"
_ARGUMENTS = "training-arguments.json"


def write_belief(folder: Path, belief: StackBelief) -> None:
    """Write what the stack's Trainer assumes about its model."""
    write_record(folder / _BELIEF, belief)


def read_belief(folder: Path) -> StackBelief | None:
    """None if the stack has no Trainer."""
    return _read(StackBelief, folder / _BELIEF)


def write_trajectory(folder: Path, points: Sequence[TrajectoryPoint]) -> None:
    """Write the free-running trajectory."""
    write_record(folder / _TRAJECTORY, points)


def read_trajectory(folder: Path) -> tuple[TrajectoryPoint, ...]:
    """Empty if none was requested."""
    return _read(tuple[TrajectoryPoint, ...], folder / _TRAJECTORY) or ()


def write_program(folder: Path, program: ProgramRecord) -> None:
    """Write how a program was run, by its first process."""
    write_record(folder / _PROGRAM, program)


def read_program(folder: Path) -> ProgramRecord | None:
    """None if the stack is not a program."""
    return _read(ProgramRecord, folder / _PROGRAM)


def write_training_arguments(folder: Path, arguments: Mapping[str, PlainValue]) -> None:
    """Write the training arguments that a program made itself, if they are plain values."""
    write_record(folder / _ARGUMENTS, arguments)


def read_training_arguments(folder: Path) -> dict[str, PlainValue]:
    """Empty if the program made none."""
    return _read(dict[str, PlainValue], folder / _ARGUMENTS) or {}


def write_trained(folder: Path, process: int, trained: TrainedRecord) -> None:
    """Write what one process trains."""
    if trained.entries is not None:  # as an array: a hundred thousand numbers take a second as JSON
        np.save(folder / _ENTRIES.format(process), trained.entries)
    write_record(folder / _TRAINED.format(process), trained)


def read_trained(folder: Path, process: int = 0) -> TrainedRecord | None:
    """None if that process has not trained to its end."""
    trained, entries = _read(TrainedRecord, folder / _TRAINED.format(process)), folder / _ENTRIES.format(process)
    return replace(trained, entries=np.load(entries)) if trained is not None and entries.exists() else trained


def _read(kind: type[T], path: Path) -> T | None:
    return read_record(kind, path) if path.exists() else None
