"""What is observed of a stack, in the workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accumcheck.record.fed import FedRow
from accumcheck.record.in_json import Count
from accumcheck.record.reason import ReasonKind
from accumcheck.record.reference import Coordinates
from accumcheck.record.split import Split, Status

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

NEVER_CLIPS = 1e30
"""A ``max_grad_norm`` under which Trainer still logs the gradient's norm but scales nothing."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """What one process fed the model at once, in the order in which it was fed.

    ``samples`` are indices into the workload's samples; -1 is a row that accumcheck did not make.
    ``loss``: what the model returned; ``factor``: by how much the stack multiplied that loss before it differentiated
    it (before gradients are averaged over processes), None where no gradient came back to it; ``token_count``: the
    count that the stack passed the model, None where it passed none.
    """

    process: int
    samples: tuple[int, ...]
    loss: float | None = None
    factor: float | None = None
    token_count: float | None = None


@dataclass(frozen=True, slots=True)
class StepObservation:
    """One optimizer step of one split as the stack did it; steps count from 1, as in the stacks' own logs.

    ``gradients`` maps a process to the gradient its optimizer received, shape ``[coordinates]`` (before clipping);
    ``grad_norms`` to the norm of all of that process's gradient, whatever the number of coordinates kept.
    ``loss`` and ``logged_grad_norm`` are what the stack told its user, None where it told nothing.
    ``parameter_norms``: of each parameter's whole gradient in process 0, empty where that was not seen;
    ``parameter_projections``: likewise, its projections on a few random directions, of those that are not kept whole;
    ``clip_coefficient``: by what the gradient was multiplied when it was clipped, after the window's last backward;
    ``clipped_within``: where and how it was clipped before that; ``contributions``: of each process, what each of its
    micro-batches added to the gradient before it was accumulated, ``[micro-batches, entries]`` of `TrainedRecord`.
    ``learning_rates``, ``weight_decays``: of each parameter group of every optimizer that stepped; ``change``: of the
    weights by these steps, before they were put back, shape ``[coordinates]``, None where it was not seen;
    ``change_norm``: of all of it; ``schedule_steps``: how often each of its schedules had been stepped by then, and
    ``schedule_steps_after`` when the next forward began, or the log was written; ``logged_learning_rate``: what the
    stack told its user; ``clips``: how often the gradient was clipped after the window's last backward.
    """

    step: int
    loss: float | None
    logged_grad_norm: float | None
    grad_norms: dict[int, float]
    micro_batches: tuple[MicroBatch, ...]
    gradients: dict[int, npt.NDArray[np.floating[Any]]]
    parameter_norms: tuple[float, ...] = ()
    parameter_projections: tuple[tuple[float, ...], ...] = ()
    clip_coefficient: float = 1.0
    clipped_within: Clipped | None = None
    learning_rates: tuple[float, ...] = ()
    weight_decays: tuple[float, ...] = ()
    change: npt.NDArray[np.floating[Any]] | None = None
    change_norm: float | None = None
    schedule_steps: tuple[int, ...] = ()
    schedule_steps_after: tuple[int, ...] = ()
    logged_learning_rate: float | None = None
    clips: int = 0
    contributions: dict[int, npt.NDArray[np.floating[Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HeldWeights:
    """The weights that every step begins with: ``values``, ``[coordinates]``, and the ``unit`` of each, the same shape.

    ``unit``: the distance from 1 to the next number of the weight's dtype; a change is known no better than that times
    the weight.
    """

    values: npt.NDArray[np.floating[Any]]
    unit: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Clipped:
    """A gradient that was clipped before its window was complete: the line that did it, and the smallest factor."""

    place: str
    coefficient: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning-rate schedule that a program made: its class, the line that made it, and with which numbers."""

    kind: str
    place: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainedRecord:
    """What one process trains.

    ``coordinates``: of the parameters that need a gradient; ``lacking``: those of them that got one, and that no
    optimizer that stepped holds; ``entries``: which coordinates are kept of each micro-batch's contribution;
    ``schedules``: of the learning rates; ``untouched``: those that no backward pass has given a gradient.
    """

    coordinates: Coordinates
    lacking: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    untouched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitObservation:
    """All that one split gave: its steps, or why there are none; ``unapplied`` was fed after the last of them.

    ``training_arguments``: those that a program made for itself, as far as they are plain values; ``program``: None
    where the stack is none; ``reason_kind``: what kind of reason ``reason`` is; ``traceback``: see `Reason`;
    ``trained``: what its first process trains; ``rows``: of a program, what tells those that it was fed from others, by
    the numbers in ``steps``; ``weights``: None where no change of them was seen.
    """

    split: Split
    status: Status
    reason: str = ""
    log: str = ""
    duration_seconds: float = 0.0
    steps: tuple[StepObservation, ...] = ()
    trajectory: tuple[TrajectoryPoint, ...] = ()
    belief: StackBelief | None = None
    unapplied: tuple[MicroBatch, ...] = ()
    training_arguments: Mapping[str, Any] = field(default_factory=dict)
    program: ProgramRecord | None = None
    reason_kind: ReasonKind | None = None
    traceback: tuple[str, ...] = ()
    trained: TrainedRecord | None = None
    rows: Mapping[int, FedRow] = field(default_factory=dict)
    weights: HeldWeights | None = None


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """How the user's program was run."""

    split_set_by: tuple[str, ...]
    """Where it found the split's numbers: TrainingArguments, the command line, or the name of a YAML file."""
    sample: str
    """What is taken for one sample: row, packed row, text of a padding-free row, or pair."""
    random_collators: tuple[str, ...] = ()
    """Collators that drew random numbers, of which each row was given its own."""


@dataclass(frozen=True, slots=True)
class StackBelief:
    """What the stack believes of its model's loss, and where its code is (``file:line``); None is not seen.

    ``stack``: the class that trains; ``accepts_loss_kwargs``: whether it believes that the model takes a token count;
    ``own_loss``: what computes the loss in the model's place; ``counts_place``: where tokens are counted;
    ``divides_place``: where the loss is divided by the accumulation steps; ``logs_own_rate``: whether its log is to
    have the learning rate that the step used, and not the one of the next (releases differ).
    """

    stack: str
    accepts_loss_kwargs: bool | None = None
    own_loss: str | None = None
    own_loss_place: str | None = None
    counts_place: str | None = None
    divides_place: str | None = None
    logs_own_rate: bool | None = None


@dataclass(frozen=True, slots=True)
class TrajectoryPoint:
    """One step of the free-running trajectory, as the stack logged it."""

    step: Count
    """The optimizer step's number, from 1."""
    loss: float | None
    grad_norm: float | None
