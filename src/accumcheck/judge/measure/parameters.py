"""Every parameter separately: how far its gradient may be off, which are beyond that, and which are not tested.

A small tensor can be lost without a visible change of the whole gradient: five LayerNorm weights are a hundredth of
its norm. So each parameter's error is compared with its own norm, and with the noise measured for it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.compare import Truth, truth_of
from accumcheck.judge.measure.errors import Vector, norms_by_parameter
from accumcheck.judge.measure.recovery import blocks
from accumcheck.judge.measure.tolerance import SAFETY
from accumcheck.record import Coordinates, ReferenceObservation, SplitObservation, StepObservation, Tolerances

FLOOR = {"float64": 1e-5, "float32": 1e-4, "float16": 3e-2, "bfloat16": 1e-1}
"""The smallest tolerance for a parameter's error, relative to its own norm: a single tensor rounds less evenly
than the whole gradient does. See the table of bounds in docs/method.md."""

ROUNDING = {"float64": 1e-8, "float32": 1e-6, "float16": 5e-5, "bfloat16": 2e-4}
"""Below this share of the whole gradient's norm a parameter may be only rounding, like a key's bias under softmax:
its true gradient is 0, and cancellation leaves only rounding."""

ZERO = 1e-6
"""A gradient whose norm is below this part of the right one counts as zero."""

UNLUCKY = 3.0
"""Four projections of a difference exceed its norm by this factor less often than once in 10^7."""

Norms = npt.NDArray[np.float64]
Against = Literal["reference", "control"]


@dataclass(frozen=True, slots=True)
class OffParameter:
    """A parameter whose gradient is beyond its tolerance.

    ``error``: relative to its own right norm; ``allowed``: the same; ``share``: of the whole right gradient's norm;
    ``times``: the nearest multiple of the right gradient; ``left``: the remainder, relative to the
    right norm; ``against``: what it was compared with in ``step`` (from 1).
    """

    name: str
    error: float
    allowed: float
    share: float
    times: float
    left: float
    against: Against
    step: int

    @property
    def is_zero(self) -> bool:
        """Whether the gradient was lost."""
        return abs(self.times) < ZERO and self.left < ZERO


@dataclass(frozen=True, slots=True)
class Allowance:
    """How far each parameter's gradient may be off.

    ``noise``: ``[parameters]``, from the first step recomputed in other orders, as shares of that step's whole norm;
    ``own``: the same relative to each parameter's own norm; ``floor`` and ``rounding``: of the dtype; ``most``: the
    tolerance of the whole gradient, an upper limit for a parameter's noise.
    """

    noise: Norms
    own: Norms
    floor: float
    rounding: float
    most: float

    @classmethod
    def of(cls, reference: ReferenceObservation, tolerances: Tolerances, dtype: str) -> Allowance:
        """The allowance from the reference's recomputations.

        Args:
            reference: its ``recomputed`` may be empty; then only the dtype's floors apply.
            tolerances: of the run; a user's gradient tolerance holds for single parameters as well.
            dtype: in which the model computes.
        """
        places = reference.coordinates
        noise, own = np.zeros(len(places.names)), np.zeros(len(places.names))
        if reference.recomputed:
            right = truth_of(reference, 0).gradient
            whole, norms = float(np.linalg.norm(right)), norms_by_parameter(right, places)
            off = np.max([norms_by_parameter(one.gradient - right, places) for one in reference.recomputed], axis=0)
            noise = off / whole if whole > 0 else noise
            own = np.divide(off, norms, out=np.zeros_like(off), where=norms > 0)
        origin = tolerances.origins.get("gradient")
        given = tolerances.gradient if origin is not None and origin.chosen == "configuration" else 0.0
        return cls(noise, own, max(FLOOR[dtype], given), ROUNDING[dtype], tolerances.gradient)

    def absolute(self, norms: Norms, whole: float) -> Norms:
        """How far each parameter may be off, ``[parameters]``; ``norms`` and ``whole``: of the right gradient."""
        measured = SAFETY * np.maximum(self.noise * whole, np.minimum(self.own, 1.0) * norms)
        return np.maximum(
            self.floor * norms, np.maximum(np.minimum(measured, self.most * whole), self.rounding * whole)
        )


def off_parameters(
    split: SplitObservation,
    control: SplitObservation | None,
    truths: Sequence[Truth],
    off_control: frozenset[int],
    reference: ReferenceObservation,
    allowance: Allowance,
) -> tuple[OffParameter, ...]:
    """The parameters of one split that are beyond tolerance in some step, each in its worst step; worst first.

    Args:
        split: it ran.
        control: what it is compared with; None if it is the control itself, or the control cannot be used.
        truths: the right answer of each of its steps; empty if there is none.
        off_control: steps (from 0) whose samples differ from the control's.
        reference: says which entries belong to which parameter.
        allowance: how far each may be off.
    """
    places = reference.coordinates
    worst: dict[str, OffParameter] = {}
    for position, step in enumerate(split.steps):
        found: list[OffParameter] = []
        if position < len(truths):
            found += _beyond(step, truths[position].gradient, places, allowance, "reference")
        if control is not None and position < len(control.steps) and position not in off_control:
            other = control.steps[position]
            found += _beyond(step, other.gradients[0], places, allowance, "control")
            if not places.complete:
                found += _beyond_in_norm(step, other, places, allowance)
                found += _beyond_in_projections(step, other, places, allowance)
        for one in found:
            known = worst.get(one.name)
            if known is None or (one.against == known.against and one.error > known.error):
                worst[one.name] = one  # an error against the truth takes precedence over the control
    return tuple(sorted(worst.values(), key=lambda one: (-round(one.error, 3), -one.share)))


def _beyond(
    step: StepObservation, right: Vector, places: Coordinates, allowance: Allowance, against: Against
) -> Iterator[OffParameter]:
    """Parameters whose kept entries differ; values that are not finite are left to the verdict on the whole."""
    gradient, right = step.gradients[0].astype(np.float64), right.astype(np.float64)
    whole = float(np.linalg.norm(right))
    if not (np.isfinite(gradient).all() and np.isfinite(whole)) or whole == 0:
        return
    norms = norms_by_parameter(right, places)
    errors, allowed = norms_by_parameter(gradient - right, places), allowance.absolute(norms, whole)
    for at in np.flatnonzero(errors > allowed):
        entries = slice(places.starts[at], places.starts[at] + places.sizes[at])
        norm = float(norms[at])
        times = float(gradient[entries] @ right[entries]) / norm**2 if norm > 0 else 0.0
        left = float(np.linalg.norm(gradient[entries] - times * right[entries]))
        error, allowance_of, rest = (
            (value / norm if norm > 0 else np.inf) for value in (errors[at], allowed[at], left)
        )
        yield OffParameter(
            places.names[at], float(error), float(allowance_of), norm / whole, times, float(rest), against, step.step
        )


def _beyond_in_norm(
    step: StepObservation, control: StepObservation, places: Coordinates, allowance: Allowance
) -> Iterator[OffParameter]:
    """Parameters whose whole norm differs from the control's, if only some of their entries are kept."""
    own, right = np.array(step.parameter_norms), np.array(control.parameter_norms)
    if len(own) != len(places.names) or len(right) != len(places.names):
        return
    whole = float(np.linalg.norm(right))
    if not (np.isfinite(own).all() and np.isfinite(whole)) or whole == 0:
        return
    allowed = allowance.absolute(right, whole)
    for at in np.flatnonzero((np.abs(own - right) > allowed) & (right > 0)):
        norm = float(right[at])
        ratio = float(own[at]) / norm
        yield OffParameter(
            places.names[at], abs(ratio - 1), float(allowed[at]) / norm, norm / whole, ratio, 0.0, "control", step.step
        )


def _beyond_in_projections(
    step: StepObservation, control: StepObservation, places: Coordinates, allowance: Allowance
) -> Iterator[OffParameter]:
    """Parameters whose random projections differ from the control's: a difference may be outside the kept entries.

    For a difference ``e``, the expected mean square of its projections on ``v`` of random signs is ``|e|^2``.
    """
    own, other = step.parameter_projections, control.parameter_projections
    norms = np.array(control.parameter_norms)
    if len(own) != len(places.names) or len(other) != len(places.names) or len(norms) != len(places.names):
        return
    whole = float(np.linalg.norm(norms))
    if not np.isfinite(whole) or whole == 0:
        return
    allowed = allowance.absolute(norms, whole)
    for at, (mine, right) in enumerate(zip(own, other, strict=True)):
        if not mine or len(mine) != len(right) or not norms[at] > 0:
            continue
        error = float(np.sqrt(np.mean(np.square(np.subtract(mine, right)))))
        if error > UNLUCKY * allowed[at]:
            norm = float(norms[at])
            yield OffParameter(
                places.names[at],
                error / norm,
                float(UNLUCKY * allowed[at]) / norm,
                norm / whole,
                1.0,
                error / norm,
                "control",
                step.step,
            )


def untested(reference: ReferenceObservation, control: SplitObservation | None) -> tuple[str, ...]:
    """Parameters whose gradient is exactly zero for every sample and micro-batch: no fault in them could show.

    Args:
        reference: each sample's gradient.
        control: its norms of whole parameters are used if only some entries are kept; None if it did not run.
    """
    places = reference.coordinates
    largest = np.zeros(sum(places.sizes))
    for part, values in blocks(reference.gradients, range(len(reference.gradients))):
        largest[part] = np.abs(values).max(axis=0, initial=0.0)
    for one in reference.batched:  # samples that a loss compares with each other have no gradient alone
        largest = np.maximum(largest, np.abs(one.gradient))
    norms = norms_by_parameter(largest, places)
    if control is not None and not places.complete:
        for step in control.steps:
            if len(step.parameter_norms) == len(norms):
                norms = np.maximum(norms, step.parameter_norms)
    return tuple(name for name, norm in zip(places.names, norms, strict=True) if norm == 0)
