"""What a split leaves besides its steps: each file is there only where there is something to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from accumcheck.record import ProgramRecord, StackBelief, TrainedRecord, TrajectoryPoint
from accumcheck.runfolder.codec import read_record, write_record

T = TypeVar("T")
PlainValue = bool | int | float | str

SWITCHED_OFF = "switched_off"
"""Among the training arguments: what adds noise, and was switched off for the check."""
_BELIEF = "belief.json"
_TRAJECTORY = "trajectory.json"
_PROGRAM = "program.json"
_TRAINED = "trained-{}.json"
_ARGUMENTS = "training-arguments.json"


def write_belief(folder: Path, belief: StackBelief) -> None:
    """What the stack's Trainer believes of its model."""
    write_record(folder / _BELIEF, belief)


def read_belief(folder: Path) -> StackBelief | None:
    """None where the stack has no Trainer."""
    return _read(StackBelief, folder / _BELIEF)


def write_trajectory(folder: Path, points: Sequence[TrajectoryPoint]) -> None:
    """The free-running trajectory."""
    write_record(folder / _TRAJECTORY, points)


def read_trajectory(folder: Path) -> tuple[TrajectoryPoint, ...]:
    """Empty where none was asked for."""
    return _read(tuple[TrajectoryPoint, ...], folder / _TRAJECTORY) or ()


def write_program(folder: Path, program: ProgramRecord) -> None:
    """How a program was run, by its first process."""
    write_record(folder / _PROGRAM, program)


def read_program(folder: Path) -> ProgramRecord | None:
    """None where the stack is no program."""
    return _read(ProgramRecord, folder / _PROGRAM)


def write_training_arguments(folder: Path, arguments: Mapping[str, PlainValue]) -> None:
    """The training arguments that a program made for itself, as far as they are plain values."""
    write_record(folder / _ARGUMENTS, arguments)


def read_training_arguments(folder: Path) -> dict[str, PlainValue]:
    """Empty where the program made none."""
    return _read(dict[str, PlainValue], folder / _ARGUMENTS) or {}


def write_trained(folder: Path, process: int, trained: TrainedRecord) -> None:
    """What one process trains."""
    write_record(folder / _TRAINED.format(process), trained)


def read_trained(folder: Path, process: int = 0) -> TrainedRecord | None:
    """None where that process has not trained to its end."""
    return _read(TrainedRecord, folder / _TRAINED.format(process))


def _read(kind: type[T], path: Path) -> T | None:
    return read_record(kind, path) if path.exists() else None
