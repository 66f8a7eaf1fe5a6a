"""The dataclasses passed between all parts: what was planned, what was observed, what is reported.

Nothing else of accumcheck is imported here. Arrays are numpy's; torch is used only in the workers.
"""

from accumcheck.record.before import Before, SplitBefore
from accumcheck.record.finding import Finding
from accumcheck.record.observed import (
    Clipped,
    MicroBatch,
    ProgramRecord,
    SplitObservation,
    StackBelief,
    StepObservation,
    TrainedRecord,
    TrajectoryPoint,
)
from accumcheck.record.reason import Reason, ReasonKind
from accumcheck.record.reference import (
    BatchedStep,
    BatchTerm,
    Coordinates,
    CountAnswer,
    Divergence,
    LossProbe,
    ModelRecord,
    RandomForward,
    Recomputation,
    ReferenceObservation,
    UndividedTerm,
)
from accumcheck.record.reported import (
    SCHEMA_VERSION,
    Accuracy,
    ConfigFile,
    Environment,
    ParameterError,
    ReferenceStep,
    Report,
    SampleWeights,
    SplitResult,
    StepRecord,
    WorstParameter,
)
from accumcheck.record.split import Severity, Split, Status, Verdict
from accumcheck.record.tolerances import NoiseMeasurement, SampleTolerance, ToleranceOrigin, Tolerances

__all__ = [
    "SCHEMA_VERSION",
    "Accuracy",
    "BatchTerm",
    "BatchedStep",
    "Before",
    "Clipped",
    "ConfigFile",
    "Coordinates",
    "CountAnswer",
    "Divergence",
    "Environment",
    "Finding",
    "LossProbe",
    "MicroBatch",
    "ModelRecord",
    "NoiseMeasurement",
    "ParameterError",
    "ProgramRecord",
    "RandomForward",
    "Reason",
    "ReasonKind",
    "Recomputation",
    "ReferenceObservation",
    "ReferenceStep",
    "Report",
    "SampleTolerance",
    "SampleWeights",
    "Severity",
    "Split",
    "SplitBefore",
    "SplitObservation",
    "SplitResult",
    "StackBelief",
    "Status",
    "StepObservation",
    "StepRecord",
    "ToleranceOrigin",
    "Tolerances",
    "TrainedRecord",
    "TrajectoryPoint",
    "UndividedTerm",
    "Verdict",
    "WorstParameter",
]
