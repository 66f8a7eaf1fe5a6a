"""What is reported: the content of the JSON report.

The fields are in the order in which they are written; the text below each is its description in the JSON Schema.
A field that is added later gets a default and ``metadata=LATER``, so that reports without it can still be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from accumcheck.record.before import Before
from accumcheck.record.finding import Finding
from accumcheck.record.in_json import LATER, Always, Count, Keys, LineNumber, OneOf, followed_by
from accumcheck.record.observed import ProgramRecord, TrajectoryPoint
from accumcheck.record.reason import ReasonKind
from accumcheck.record.reference import Divergence, ModelRecord
from accumcheck.record.split import Split, Status, Verdict
from accumcheck.record.tolerances import Tolerances

SCHEMA_VERSION = "1.0"

Accuracy = Literal["judged", "not judged"]


@dataclass(frozen=True, slots=True)
class WorstParameter:
    """The parameter whose gradient differs most from the reference's, relative to that parameter's own norm."""

    name: str
    gradient: float


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One optimizer step of one split, as reported."""

    step: Count
    """The optimizer step's number, from 1."""
    loss: float | None
    """As the stack reported it to the user."""
    grad_norm: float | None
    """Of the gradient that the optimizer received, before clipping."""
    logged_grad_norm: float | None
    """As the stack logged it."""
    tokens: Count
    """Predicted tokens."""
    samples: Count
    """Rows that were fed."""
    worst_parameter: WorstParameter | None
    """The parameter whose gradient differs most from the reference's."""
    vs_control: Divergence
    """Differences from the control's step."""
    vs_reference: Divergence
    """Differences from the reference's step."""


@dataclass(frozen=True, slots=True)
class WeightChange:
    """How far one optimizer step moved the weights."""

    norm: float
    """The norm of the change of all trained weights."""
    vs_control: float | None
    """Difference from the control's change, relative to it, over entries whose gradient is well above its noise."""


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """What sets the size of one optimizer step in the program; the weights themselves are kept fixed."""

    step: Count
    """The optimizer step's number, from 1."""
    learning_rates: tuple[float, ...]
    """Of every parameter group of every optimizer that stepped."""
    clip_coefficient: float | None
    """The factor by which the gradient was clipped; null: clipping was disabled."""
    weight_change: WeightChange | None = None
    """Change of the weights by the program's own optimizers, before it was undone; null: not seen."""


@dataclass(frozen=True, slots=True)
class SampleWeights:
    """The coefficients with which the samples entered the gradient, relative to the ideal c_i / N; 1 = right."""

    scale: float
    """Sum of all weights over the sum of the ideal ones."""
    min: float
    """Smallest weight of a sample."""
    max: float
    """Largest weight of a sample."""
    dropped: tuple[int, ...]
    """Samples with weight 0, by index."""
    duplicated: tuple[int, ...]
    """Samples that counted twice, by index."""
    condition: float
    """Condition number of the least-squares system; large: the weights are uncertain."""
    residual: float
    """Part of the gradient that no weighting explains, relative to its norm."""
    values: tuple[float, ...] = field(default=(), metadata=LATER)
    """The weight of every sample of the first step, in the order of their indices."""


@dataclass(frozen=True, slots=True)
class ParameterError:
    """The error of one parameter's gradient, in the step where it is largest relative to its limit."""

    name: str
    error: float
    """Against the reference, relative to the norm of the right gradient of this parameter."""
    allowed: float
    """The limit that rounding allows, relative to the same norm."""
    share: float
    """This norm relative to the norm of the whole gradient."""
    step: Count
    """The optimizer step's number, from 1."""


@dataclass(frozen=True, slots=True)
class SplitResult:
    """One split: its results and its verdict."""

    split: Split = field(
        metadata=followed_by("per_device_train_batch_size", "gradient_accumulation_steps", "num_processes")
    )
    """processes x per-device batch x accumulation steps"""
    is_control: bool
    """The other splits are compared with this one."""
    status: Status
    reason: str
    """Why it did not run, fails or could not be decided; else empty."""
    reason_kind: ReasonKind | None = field(default=None, kw_only=True, metadata=LATER)
    """The kind of that reason, if it did not run or could not be decided; null: it ran."""
    traceback: tuple[str, ...] = field(default=(), kw_only=True, metadata=LATER)
    """The last lines of the program's exception, or of its output before it ended; may be empty."""
    expected: str = field(default="", kw_only=True, metadata=LATER)
    """Why its failure is expected, from the configuration: it is then a warning; empty: it is not expected."""
    verdict: Verdict
    duration_seconds: float
    steps: tuple[StepRecord, ...] = ()
    """One entry per optimizer step."""
    loss_rule: str | None = None
    """The run's rule if it fits this split, else this split's own; null: none fits."""
    gradient_rule: str | None = None
    """The run's rule if it fits this split, else this split's own; null: none fits."""
    updates: tuple[UpdateRecord, ...] = field(default=(), metadata=LATER)
    """One entry per optimizer step, for programs; empty if accumcheck sets the learning rates."""
    sample_weights: SampleWeights | None = None
    """Null: the weights could not be recovered."""
    parameters: tuple[ParameterError, ...] = field(default=(), kw_only=True, metadata=LATER)
    """The gradient errors of single parameters, nearest to their limits first, at most 50; empty if not compared."""
    trajectory: tuple[TrajectoryPoint, ...] = ()
    """Free-running steps with the real optimizer; for plots, not for the verdict."""
    log: str = ""
    """The file with the output of the processes; may be empty."""


@dataclass(frozen=True, slots=True)
class ReferenceStep:
    """The reference's values for one optimizer step."""

    step: Count
    """The optimizer step's number, from 1."""
    loss: float
    """Mean over all predicted tokens of the global batch."""
    grad_norm: float
    """The norm of that loss's gradient."""
    tokens: Count
    """Predicted tokens."""
    samples: Count
    """Rows of the global batch."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Versions and devices; an empty string: not known."""

    python: str = ""
    torch: str = ""
    transformers: str = ""
    accelerate: str = ""
    stack_version: str = ""
    """Release of the package that trains."""
    device: str = ""
    device_name: str = ""
    device_count: Count = 0
    backend: str = ""
    platform: str = ""
    packages: dict[str, str] = field(default_factory=dict, metadata=LATER)
    """Release of every installed package, by canonical name; of one installed from a folder or a commit, that too."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Where the configuration was written."""

    path: str
    """As the user gave it."""
    line: LineNumber = 1
    """Of the splits as a whole."""
    splits: dict[str, LineNumber] = field(default_factory=dict)
    """The line of each split that has its own line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one check.

    Numbers that are not finite are written as the strings NaN, Infinity and -Infinity; null means that there
    is no value.
    """

    schema_version: Annotated[str, Always(SCHEMA_VERSION)] = SCHEMA_VERSION
    accumcheck_version: str
    verdict: Verdict
    """Of the run as a whole."""
    exit_code: Annotated[int, OneOf((0, 1, 2, 3, 130))]
    """0 passed, 1 diverges, 3 could not be decided."""
    strict: bool = field(default=False, metadata=LATER)
    """A warning counts as a failure."""
    started_at: str
    """ISO 8601, with the offset from UTC."""
    duration_seconds: float
    environment: Environment
    config: dict[str, Any]
    """The resolved configuration, in canonical names, without secrets."""
    config_file: ConfigFile | None = field(default=None, metadata=LATER)
    """Null: the configuration was not in a file."""
    model: ModelRecord | None
    """Null: nothing ran to its end."""
    program: ProgramRecord | None = field(default=None, metadata=LATER)
    """Null: the stack is not a user's program, or it did not run."""
    reference: tuple[ReferenceStep, ...]
    """The independent reference, one entry per optimizer step."""
    tolerances: Tolerances | None
    """Null: nothing was compared."""
    control: str
    """The split that the others are compared with; may be empty."""
    splits: tuple[SplitResult, ...]
    """In the order of the configuration."""
    loss_rule: str | None = None
    """How the run's reported losses are weighted; null: no rule fits every split."""
    gradient_rule: str | None = None
    """How the run's gradients are weighted; null: no rule fits every split."""
    alternatives: Annotated[
        dict[str, list[str]],
        Keys("Alternatives", {"loss": "To the loss's rule.", "gradient": "To the gradient's rule."}),
    ] = field(default_factory=lambda: {"loss": [], "gradient": []})
    """Other rules that also fit: this run cannot distinguish them from the named ones."""
    accuracy: Accuracy = field(default="judged", metadata=LATER)
    """Whether the control was compared with an independent truth; else splits were compared with each other only."""
    not_tested: tuple[str, ...] = field(default=(), metadata=LATER)
    """Parameters whose true gradient is exactly zero here, so that no fault in them could show."""
    findings: tuple[Finding, ...] = ()
    """What is wrong, one entry per fault."""
    before: Before | None = field(default=None, metadata=LATER)
    """Null: no hot-fix was applied, or the run without it gave no result."""
