"""How far two numbers may differ, and where these limits come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from accumcheck.record.in_json import LATER, Count
from accumcheck.record.reference import Divergence


@dataclass(frozen=True, slots=True)
class NoiseMeasurement:
    """The first step's batch recomputed without the stack, compared with the sum of its single samples."""

    order: str
    """The order of the samples."""
    samples_at_once: Count
    accumulation_steps: Count
    apart: Divergence
    """The differences."""
    factor: float = field(default=1.0, metadata=LATER)
    """What the loss was multiplied by before it was back-propagated, and the gradient divided by again."""


@dataclass(frozen=True, slots=True)
class ToleranceOrigin:
    """Where one tolerance comes from: the larger of floor and safety * noise + rounding, or the configuration.

    What the noise gives is never more than the dtype's ceiling.
    """

    chosen: Literal["configuration", "dtype", "noise", "ceiling"]
    """dtype: its floor; ceiling: the dtype's, since the noise was larger."""
    floor: float
    """Never tighter than this in the model's dtype."""
    noise: float | None
    """As measured; null: it could not be."""
    safety: float
    """Times the noise."""
    rounding: float = 0.0
    """Relative; 0 since the rounding of reported losses is taken off each difference: see loss_rounding."""
    ceiling: float | None = field(default=None, metadata=LATER)
    """Never wider than this in the model's dtype; null: not limited."""


@dataclass(frozen=True, slots=True)
class SampleTolerance:
    """How far the weight of one sample may be off in step 1, and where that comes from: each sample has its own."""

    least: float
    """A share of the right weight: that of the sample that is known most closely."""
    middle: float
    """Likewise, the median of all samples."""
    most: float
    """Likewise, that of the sample that is known least closely."""
    noise: float
    """The standard error of one computation, in each direction of the samples' gradients, relative to the gradient."""
    degrees: Count
    """Of freedom: how many numbers that standard error was estimated from."""
    times: float
    """So many standard errors are allowed (Student's t)."""
    false_alarms: float
    """The probability that a weight of a right run exceeds that."""
    floor: float
    """A share of the right weight: what is allowed of any sample."""


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The relative differences allowed, and the measured noise floor that they come from."""

    loss: float
    """Relative difference allowed."""
    grad_norm: float
    """Relative difference allowed."""
    gradient: float
    """Relative difference allowed."""
    noise_floor: Divergence
    """What floating point alone does here, as measured."""
    weights: float | None = field(default=None, metadata=LATER)
    """Relative difference allowed; null: the noise of the weights was not measured, and they are not judged."""
    origins: dict[str, ToleranceOrigin] = field(default_factory=dict, metadata=LATER)
    """Where each tolerance comes from, by its name."""
    measured: tuple[NoiseMeasurement, ...] = field(default=(), metadata=LATER)
    """What the noise floor is the largest of."""
    loss_rounding: float = field(default=0.0, metadata=LATER)
    """Half a unit of the last decimal that the stack reports losses in, absolute, for each reported loss compared."""
    sample: SampleTolerance | None = field(default=None, metadata=LATER)
    """Of one sample's weight; null: it was not judged by itself."""
