"""What each process of a split observed in every optimizer step: written while it trains, read by the judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.record import Clipped, MicroBatch, StepObservation
from accumcheck.record.observed import HeldWeights
from accumcheck.record.outputs import OutputRows
from accumcheck.runfolder.arrays import read_array
from accumcheck.runfolder.codec import read_record, write_record

Gradient = npt.NDArray[np.floating[Any]]

_CHANGE = "change-step-{}.npy"
_WEIGHTS = "weights.npz"


@dataclass(frozen=True, slots=True)
class SeenStep:
    """One process's view of one optimizer step; its gradient is in a separate file.

    ``grad_norm``: of the whole gradient, before clipping; ``micro_batches``: what this process was fed, in order;
    ``loss``, ``logged_grad_norm``: what the stack logged, None if it logged nothing; the rest as in
    `StepObservation`.
    """

    grad_norm: float
    micro_batches: tuple[MicroBatch, ...] = ()
    loss: float | None = None
    logged_grad_norm: float | None = None
    parameter_norms: tuple[float, ...] = ()
    parameter_projections: tuple[tuple[float, ...], ...] = ()
    clip_coefficient: float = 1.0
    clipped_within: Clipped | None = None
    learning_rates: tuple[float, ...] = ()
    weight_decays: tuple[float, ...] = ()
    change_norm: float | None = None
    schedule_steps: tuple[int, ...] = ()
    schedule_steps_after: tuple[int, ...] = ()
    logged_learning_rate: float | None = None
    clips: int = 0
    norm_rounding: float = 0.0


def _steps_file(folder: Path, process: int) -> Path:
    return folder / f"process-{process}.json"


def _unapplied_file(folder: Path, process: int) -> Path:
    return folder / f"process-{process}-unapplied.json"


def _gradient_file(folder: Path, process: int, step: int) -> Path:
    return folder / f"process-{process}-step-{step}.npy"


def _contributions_file(folder: Path, process: int, step: int) -> Path:
    return folder / f"process-{process}-contributions-{step}.npy"


def _outputs_file(folder: Path, process: int, step: int) -> Path:
    return folder / f"process-{process}-outputs-{step}.npz"


def write_steps(folder: Path, process: int, steps: Sequence[SeenStep]) -> None:
    """Write what one process saw; the file shows that the process has trained to the end."""
    write_record(_steps_file(folder, process), steps)


def has_steps(folder: Path, process: int) -> bool:
    """Whether this process's view is here: for a split over several machines, at first only the first process's is."""
    return _steps_file(folder, process).exists()


def read_steps(folder: Path, process: int) -> tuple[SeenStep, ...]:
    """What one process saw.

    Raises:
        FileNotFoundError: the process has not trained to the end.
    """
    return read_record(tuple[SeenStep, ...], _steps_file(folder, process))


def write_unapplied(folder: Path, process: int, fed: Sequence[MicroBatch]) -> None:
    """Write what a process was fed after its last optimizer step; no file if that is nothing."""
    if fed:
        write_record(_unapplied_file(folder, process), fed)


def read_unapplied(folder: Path, process: int) -> tuple[MicroBatch, ...]:
    """What a process was fed after its last optimizer step."""
    path = _unapplied_file(folder, process)
    return read_record(tuple[MicroBatch, ...], path) if path.exists() else ()


def write_gradient(folder: Path, process: int, step: int, entries: Gradient) -> None:
    """Write the kept entries of the gradient of a step, counted from 0; shape ``[coordinates]``."""
    np.save(_gradient_file(folder, process, step), entries)


def read_gradients(folder: Path, step: int, processes: int) -> dict[int, Gradient]:
    """The gradients of a step, counted from 0, of the processes whose files are on this machine."""
    paths = {process: _gradient_file(folder, process, step) for process in range(processes)}
    return {process: read_array(path) for process, path in paths.items() if path.exists()}


def write_contributions(folder: Path, process: int, step: int, contributions: Gradient) -> None:
    """Write what each micro-batch of a step, counted from 0, added: ``[micro-batches, entries]``."""
    np.save(_contributions_file(folder, process, step), contributions)


def read_contributions(folder: Path, step: int, processes: int) -> dict[int, Gradient]:
    """The contributions of a step, counted from 0, of the processes that could see them."""
    paths = {process: _contributions_file(folder, process, step) for process in range(processes)}
    return {process: read_array(path) for process, path in paths.items() if path.exists()}


def write_outputs(folder: Path, process: int, step: int, seen: OutputRows) -> None:
    """Write what the loss of a step, counted from 0, did to each row at the model's outputs."""
    np.savez(
        _outputs_file(folder, process, step),
        names=np.array(seen.names),
        entries=seen.entries,
        batches=seen.batches,
        gradients=seen.gradients,
        values=seen.values,
    )


def read_outputs(folder: Path, step: int, processes: int) -> dict[int, OutputRows]:
    """The same, of the processes that could see it."""
    found = {}
    for process in range(processes):
        path = _outputs_file(folder, process, step)
        if path.exists():
            with np.load(path) as kept:
                names, entries = (tuple(kept[name].tolist()) for name in ("names", "entries"))
                found[process] = OutputRows(names, entries, kept["batches"], kept["gradients"], kept["values"])
    return found


def write_change(folder: Path, step: int, entries: Gradient) -> None:
    """Write how a step, counted from 0, changed the weights of the first process: ``[coordinates]``."""
    np.save(folder / _CHANGE.format(step), entries)


def _read_change(folder: Path, step: int) -> Gradient | None:
    path = folder / _CHANGE.format(step)
    return read_array(path) if path.exists() else None


def write_weights(folder: Path, weights: HeldWeights) -> None:
    """Write what the weights of the first process are before its first step changes them."""
    np.savez(folder / _WEIGHTS, values=weights.values, unit=weights.unit)


def read_weights(folder: Path) -> HeldWeights | None:
    """Read the weights that steps changed; None if no step changed any."""
    path = folder / _WEIGHTS
    if not path.exists():
        return None
    with np.load(path) as found:
        return HeldWeights(found["values"], found["unit"])


def read_observed(folder: Path, processes: int) -> tuple[StepObservation, ...]:
    """The steps of a split, with the views of all its processes combined.

    Raises:
        OSError: a process has written no view.
        ValueError: a file has other contents.
    """
    views = [read_steps(folder, process) for process in range(processes)]
    return tuple(
        StepObservation(
            step=index + 1,
            loss=first.loss,
            logged_grad_norm=first.logged_grad_norm,
            grad_norms={process: view[index].grad_norm for process, view in enumerate(views) if index < len(view)},
            micro_batches=tuple(batch for view in views if index < len(view) for batch in view[index].micro_batches),
            gradients=read_gradients(folder, index, processes),
            parameter_norms=first.parameter_norms,
            parameter_projections=first.parameter_projections,
            clip_coefficient=first.clip_coefficient,
            clipped_within=first.clipped_within,
            learning_rates=first.learning_rates,
            weight_decays=first.weight_decays,
            change=_read_change(folder, index),
            change_norm=first.change_norm,
            schedule_steps=first.schedule_steps,
            schedule_steps_after=first.schedule_steps_after,
            logged_learning_rate=first.logged_learning_rate,
            clips=first.clips,
            norm_rounding=first.norm_rounding,
            clip_coefficients={
                process: view[index].clip_coefficient for process, view in enumerate(views) if index < len(view)
            },
            contributions=read_contributions(folder, index, processes),
            outputs=read_outputs(folder, index, processes),
        )
        for index, first in enumerate(views[0])
    )
