"""What the workers observe of a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from accumcheck.record.fed import FedRow
from accumcheck.record.in_json import Count
from accumcheck.record.outputs import OutputRows
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
    """What one process fed the model at once, in the order fed.

    ``samples``: indices into the workload's samples; -1 is a row that accumcheck did not make.
    ``loss``: what the model returned; ``factor``: by what the stack multiplied that loss before it differentiated
    it (before gradients are averaged over processes), None if no gradient came back to it; ``token_count``: the
    count that the stack passed the model, None if it passed none.
    """

    process: int
    samples: tuple[int, ...]
    loss: float | None = None
    factor: float | None = None
    token_count: float | None = None


@dataclass(frozen=True, slots=True)
class StepObservation:
    """One optimizer step of one split as the stack did it; steps are counted from 1, as in the stacks' own logs.

    ``gradients`` maps a process to the gradient that its optimizer received, shape ``[coordinates]``, before clipping;
    ``grad_norms`` to the norm of that process's whole gradient, however many coordinates are kept.
    ``loss`` and ``logged_grad_norm``: what the stack logged, None if it logged nothing.
    ``parameter_norms``: of each parameter's whole gradient in process 0, empty if not seen;
    ``parameter_projections``: its projections on a few random directions, for parameters that are not kept whole;
    ``clip_coefficient``: the factor by which the gradient was clipped after the window's last backward;
    ``clipped_within``: where and how it was clipped before that; ``contributions``: for each process, what each of its
    micro-batches added to the gradient before accumulation, ``[micro-batches, entries]`` of `TrainedRecord`;
    ``outputs``: for each process, the derivative of a program's loss at its model's outputs.
    ``learning_rates``, ``weight_decays``: of each parameter group of every optimizer that stepped; ``change``: of the
    weights by these steps, before they were restored, shape ``[coordinates]``, None if not seen;
    ``change_norm``: of the whole change; ``schedule_steps``: how often each schedule had been stepped by then, and
    ``schedule_steps_after`` when the next forward began, or the log was written; ``logged_learning_rate``: as the
    stack logged it; ``clips``: how often the gradient was clipped after the window's last backward;
    ``norm_rounding``: the relative error of the norm that torch computes in the gradient's dtype, by which it clips;
    ``clip_coefficients``: the factor of each process, which differs if processes clip before gradients are reduced.
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
    norm_rounding: float = 0.0
    clip_coefficients: dict[int, float] = field(default_factory=dict)
    contributions: dict[int, npt.NDArray[np.floating[Any]]] = field(default_factory=dict)
    outputs: dict[int, OutputRows] = field(default_factory=dict)


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
    """A learning-rate schedule that a program made: its class, the line that made it, and its numbers."""

    kind: str
    place: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainedRecord:
    """What one process trains.

    ``coordinates``: of the parameters that need a gradient; ``lacking``: parameters that got a gradient, but are in no
    optimizer that stepped; ``entries``: which coordinates are kept of each micro-batch's contribution, ``[entries]``,
    None if these were not seen;
    ``schedules``: of the learning rates; ``untouched``: parameters that never got a gradient; ``engine``:
    DeepSpeed's, if it made the steps.
    """

    coordinates: Coordinates
    lacking: tuple[str, ...] = ()
    entries: npt.NDArray[np.int64] | None = None
    schedules: tuple[Schedule, ...] = ()
    untouched: tuple[str, ...] = ()
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """A DeepSpeed engine: its release, and the 16-bit ``dtype`` to which it has cast the weights; empty if it has not.

    ``casts_buffers``: whether it has also cast the model's buffers; releases differ.
    """

    release: str
    dtype: str = ""
    casts_buffers: bool = False


@dataclass(frozen=True, slots=True)
class SplitObservation:
    """Everything observed of one split: its steps, or why there are none; ``unapplied``: fed after the last step.

    ``training_arguments``: those that a program made itself, if they are plain values; ``program``: None
    if the stack is not a program; ``reason_kind``: the kind of ``reason``; ``traceback``: see `Reason`;
    ``trained``: what its first process trains; ``rows``: for a program, what distinguishes the rows it was fed, by
    the numbers in ``steps``; ``weights``: None if no change of them was seen; ``unlike``: parameters that were not
    the same in all its processes when training began.
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
    unlike: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """How the user's program was run."""

    split_set_by: tuple[str, ...]
    """Where it found the split's numbers: TrainingArguments, the command line, or the name of a YAML file."""
    sample: str
    """What counts as one sample: row, packed row, text of a padding-free row, or pair."""
    random_collators: tuple[str, ...] = ()
    """Collators that drew random numbers; each row was given its own numbers."""


@dataclass(frozen=True, slots=True)
class StackBelief:
    """What the stack assumes about its model's loss, and where its code is (``file:line``); None: not seen.

    ``stack``: the class that trains; ``accepts_loss_kwargs``: whether it assumes that the model takes a token count;
    ``own_loss``: what computes the loss instead of the model; ``counts_place``: where tokens are counted;
    ``divides_place``: where the loss is divided by the accumulation steps; ``logs_own_rate``: whether its log should
    show the learning rate of the step itself, not of the next one; ``logs_unclipped_norm``: whether it should show the
    gradient's norm even if ``max_grad_norm`` is 0 (releases differ).
    """

    stack: str
    accepts_loss_kwargs: bool | None = None
    own_loss: str | None = None
    own_loss_place: str | None = None
    counts_place: str | None = None
    divides_place: str | None = None
    logs_own_rate: bool | None = None
    logs_unclipped_norm: bool | None = None


@dataclass(frozen=True, slots=True)
class TrajectoryPoint:
    """One step of the free-running trajectory, as the stack logged it."""

    step: Count
    """The optimizer step's number, from 1."""
    loss: float | None
    grad_norm: float | None
