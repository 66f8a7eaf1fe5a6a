"""What is reported: the content of the JSON report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from accumcheck.record.before import Before
from accumcheck.record.observed import ProgramRecord, TrajectoryPoint
from accumcheck.record.reference import Divergence, ModelRecord
from accumcheck.record.split import Severity, Split, Status, Verdict

SCHEMA_VERSION = "1.0"


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

    ``strict``: a warning counts as a failure; ``config_file``: None where the configuration was in no file;
    ``before``: None where no hot-fix was applied, or nothing is known of the run without it; ``program``: None where
    the stack is none, or none of it ran.
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
    before: Before | None = None
    program: ProgramRecord | None = None
    schema_version: str = SCHEMA_VERSION
