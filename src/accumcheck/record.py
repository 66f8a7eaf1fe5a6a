"""The dataclasses that everything passes: what was planned, what was observed, what is reported.

This module imports nothing of accumcheck's own. Arrays are numpy's; torch stays inside the workers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SCHEMA_VERSION = "1.0"

Verdict = Literal["pass", "warn", "fail", "error", "skipped"]
Status = Literal["ran", "skipped", "error"]
Severity = Literal["ignore", "warn", "fail"]
CountAnswer = Literal["divides", "ignores", "partly", "rejects"]

_SHORT = re.compile(r"\s*(\d+)\s*[xX]\s*(\d+)\s*[xX]\s*(\d+)\s*")


@dataclass(frozen=True, slots=True, order=True)
class Split:
    """One way to spread a global batch: ``n`` processes, ``b`` samples each, ``k`` accumulation steps."""

    num_processes: int
    per_device_train_batch_size: int
    gradient_accumulation_steps: int

    @classmethod
    def parse(cls, text: str) -> Split:
        """Read the short form ``n x b x k``, for example ``4x16x2``.

        Raises:
            ValueError: the text is not three positive whole numbers joined by ``x``.
        """
        match = _SHORT.fullmatch(text)
        if match is None or "0" in [number.lstrip("0") or "0" for number in match.groups()]:
            raise ValueError(f"{text!r} is no split; write n x b x k, for example 4x16x2")
        n, b, k = (int(number) for number in match.groups())
        return cls(n, b, k)

    @property
    def global_batch_size(self) -> int:
        """``B = n * b * k``, the samples of one optimizer step."""
        return self.num_processes * self.per_device_train_batch_size * self.gradient_accumulation_steps

    def __str__(self) -> str:
        return f"{self.num_processes}x{self.per_device_train_batch_size}x{self.gradient_accumulation_steps}"


# --- observed, in the workers -----------------------------------------------------------------------------------------


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
    """

    step: int
    loss: float | None
    logged_grad_norm: float | None
    grad_norms: dict[int, float]
    micro_batches: tuple[MicroBatch, ...]
    gradients: dict[int, npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True, slots=True)
class SplitObservation:
    """All that one split gave: its steps, or why there are none; ``unapplied`` was fed after the last of them."""

    split: Split
    status: Status
    reason: str = ""
    log: str = ""
    duration_seconds: float = 0.0
    steps: tuple[StepObservation, ...] = ()
    trajectory: tuple[TrajectoryPoint, ...] = ()
    belief: StackBelief | None = None
    unapplied: tuple[MicroBatch, ...] = ()


@dataclass(frozen=True, slots=True)
class StackBelief:
    """What the stack believes of its model's loss, and where its code stands (``file:line``); None is not seen.

    ``stack``: the class that trains; ``accepts_loss_kwargs``: whether it believes that the model takes a token count;
    ``own_loss``: what computes the loss in the model's place; ``counts_place``: where tokens are counted;
    ``divides_place``: where the loss is divided by the accumulation steps.
    """

    stack: str
    accepts_loss_kwargs: bool | None = None
    own_loss: str | None = None
    own_loss_place: str | None = None
    counts_place: str | None = None
    divides_place: str | None = None


@dataclass(frozen=True, slots=True)
class LossProbe:
    """How the model makes its loss, as the model itself answered; None is not seen.

    ``token_count``: what the loss does with the count it is passed: ``divides`` by it, ``ignores`` it, divides
    ``partly`` (a term beside is not divided), or the model ``rejects`` the argument. ``function`` and ``reduction``:
    the loss function that is called; ``place``: the line (``file:line``) of the model's forward that asks for it;
    ``call_place``: the line that calls it.
    """

    token_count: CountAnswer | None = None
    function: str | None = None
    reduction: str | None = None
    place: str | None = None
    call_place: str | None = None


@dataclass(frozen=True, slots=True)
class TrajectoryPoint:
    """One step of the free-running trajectory: the loss and the gradient norm that the stack logged."""

    step: int
    loss: float | None
    grad_norm: float | None


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Which entries of the gradient are kept: per parameter its name, its size, and the range its entries take."""

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    total: int

    @property
    def complete(self) -> bool:
        """Whether every entry of the gradient is kept."""
        return sum(self.sizes) == self.total


@dataclass(frozen=True, slots=True)
class BatchTerm:
    """What makes a model depend on its batch.

    ``name``: in words, for example of the layers or of the model's output; ``additive``: it is a summand of the loss;
    ``complete``: without it batching changes nothing.
    """

    name: str
    additive: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class BatchedStep:
    """One step in micro-batches of one size, computed without any stack: for a model that depends on its batch.

    ``loss``, ``grad_norm`` and ``gradient`` (``[coordinates]``) are of the mean over micro-batches, each weighted as
    ``base`` says: ``token-mean`` by its predictions, ``microbatch-mean`` like any other. Of these, ``term`` and
    ``term_gradient`` are what an additive term gives, in a plain mean over micro-batches; None where there is none.
    """

    base: str
    step: int
    size: int
    micro_batches: tuple[tuple[int, ...], ...]
    loss: float
    grad_norm: float
    gradient: npt.NDArray[np.floating[Any]]
    term: float | None = None
    term_gradient: npt.NDArray[np.floating[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Recomputation:
    """The first step's batch computed once more without any stack, in another order and other micro-batches.

    ``order`` in words; ``size``: samples at once; ``apart``: relative differences from the sum of the single samples;
    ``gradient``: ``[coordinates]``, as accumulated in the run's own dtype.
    """

    order: str
    size: int
    apart: Divergence
    gradient: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ReferenceObservation:
    """The independent truth, sample by sample.

    ``losses``: shape ``[samples]``, mean loss per predicted token; ``tokens``: ``[samples]``, predicted tokens as the
    model's own loss counts them; ``labels``: ``[samples]``, labels that are not masked, before any causal shift;
    ``gradients``: ``[samples, coordinates]``, the gradient of each sample's mean token loss; ``grad_norms``: the norm
    of the whole right gradient of each step; ``membership``: the samples of each step;
    ``noise``: the relative differences that floating point alone makes, the largest of ``recomputed``;
    ``batch_effect``: the largest relative difference, in loss or gradient, that batching made and that is no noise, 0
    where the model treats each sample for itself; ``batched``: where it does not, every step for every micro-batch size
    of the run, and ``batch_term``: why; ``probe``: how the model makes its loss.
    """

    losses: npt.NDArray[np.float64]
    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    gradients: npt.NDArray[np.floating[Any]]
    grad_norms: tuple[float, ...]
    membership: tuple[tuple[int, ...], ...]
    coordinates: Coordinates
    noise: Divergence
    batch_effect: float
    model: ModelRecord
    batched: tuple[BatchedStep, ...] = ()
    batch_term: BatchTerm | None = None
    probe: LossProbe = field(default_factory=lambda: LossProbe())
    recomputed: tuple[Recomputation, ...] = ()


# --- reported ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Divergence:
    """Relative differences: loss, gradient norm, and ``||g - g'|| / ||g'||`` for the gradient itself.

    ``weights``: the part of the gradient's that is in how samples are weighted, ``||sum((w_i - w'_i) g_i)|| / ||g'||``;
    None where the weights were not recovered. Rounding is mostly outside the span of the samples' gradients, so that
    this part is known several times as closely.
    """

    loss: float | None
    grad_norm: float | None
    gradient: float | None
    weights: float | None = None


@dataclass(frozen=True, slots=True)
class WorstParameter:
    """The parameter whose gradient differs most from the reference's, relative to the whole gradient's norm."""

    name: str
    gradient: float


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One optimizer step of one split, as reported. ``samples`` counts rows fed, ``tokens`` predicted tokens."""

    step: int
    loss: float | None
    grad_norm: float | None
    logged_grad_norm: float | None
    tokens: int
    samples: int
    worst_parameter: WorstParameter | None
    vs_control: Divergence
    vs_reference: Divergence


@dataclass(frozen=True, slots=True)
class SampleWeights:
    """How each sample was weighted, as ratios to the ideal ``c_i / N``; scale 1 = right.

    ``scale``: sum of the recovered weights over the sum of the ideal ones; ``min``, ``max``: over single samples;
    ``dropped``, ``duplicated``: sample indices; ``residual``: the part of the gradient that no weighting explains,
    relative to its norm; ``condition``: the condition number of the least-squares system; ``values``: of every sample
    of the first step, in the order of their indices.
    """

    scale: float
    min: float
    max: float
    dropped: tuple[int, ...]
    duplicated: tuple[int, ...]
    residual: float
    condition: float
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SplitResult:
    """One row of the table."""

    split: Split
    is_control: bool
    status: Status
    reason: str
    verdict: Verdict
    duration_seconds: float
    steps: tuple[StepRecord, ...] = ()
    loss_rule: str | None = None
    gradient_rule: str | None = None
    sample_weights: SampleWeights | None = None
    trajectory: tuple[TrajectoryPoint, ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, in words an ML engineer understands.

    ``explanation``: what the stack did, and why as far as it was seen; ``consequence``: what that does to training;
    ``advice``: what to do; ``source``: the line of code (``file:line``); ``known``: published faults that it is.
    """

    id: str
    severity: Severity | Literal["error"]
    splits: tuple[str, ...]
    summary: str
    explanation: str = ""
    consequence: str = ""
    advice: str = ""
    loss_rule: str | None = None
    gradient_rule: str | None = None
    source: str | None = None
    known: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class NoiseMeasurement:
    """One `Recomputation`, as reported."""

    order: str
    samples_at_once: int
    accumulation_steps: int
    apart: Divergence


@dataclass(frozen=True, slots=True)
class ToleranceOrigin:
    """Where one tolerance comes from: the larger of ``floor`` and ``safety * noise + rounding``, or the user.

    ``floor``: of the dtype; ``noise``: as measured, None where it could not be; ``rounding``: of the stack's log,
    relative.
    """

    chosen: Literal["configuration", "dtype", "noise"]
    floor: float
    noise: float | None
    safety: float
    rounding: float = 0.0


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The relative differences allowed, and the measured noise floor that they come from.

    ``weights``: see `Divergence`; None where the noise of the weights was not measured: they are then not judged.
    ``origins``: of every tolerance by its name; ``measured``: what the noise floor is the largest of.
    """

    loss: float
    grad_norm: float
    gradient: float
    noise_floor: Divergence
    weights: float | None = None
    origins: dict[str, ToleranceOrigin] = field(default_factory=dict)
    measured: tuple[NoiseMeasurement, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceStep:
    """The truth of one optimizer step."""

    step: int
    loss: float
    grad_norm: float
    tokens: int
    samples: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What was trained."""

    architecture: str
    parameters: int
    dtype: str
    shrunk: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """What it was trained with, and on what."""

    python: str = ""
    torch: str = ""
    transformers: str = ""
    accelerate: str = ""
    stack_version: str = ""
    device: str = ""
    device_name: str = ""
    device_count: int = 0
    backend: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Where the configuration was written: the file's path as the user gave it, and lines in it, from 1.

    ``line`` is that of the splits as a whole; ``splits`` has the line of each split that stands on one of its own.
    """

    path: str
    line: int = 1
    splits: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """The whole result of one run, the content of the JSON report.

    ``strict``: a warning counts as a failure; ``config_file``: None where the configuration was in no file.
    """

    accumcheck_version: str
    verdict: Verdict
    exit_code: int
    started_at: str
    duration_seconds: float
    environment: Environment
    config: dict[str, Any]
    model: ModelRecord | None
    reference: tuple[ReferenceStep, ...]
    tolerances: Tolerances | None
    control: str
    splits: tuple[SplitResult, ...]
    loss_rule: str | None = None
    gradient_rule: str | None = None
    alternatives: dict[str, list[str]] = field(default_factory=lambda: {"loss": [], "gradient": []})
    findings: tuple[Finding, ...] = ()
    strict: bool = False
    config_file: ConfigFile | None = None
    schema_version: str = SCHEMA_VERSION
