"""How much two numbers may differ and still count as equal, from measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.measure.compare import Recovery
from accumcheck.record import (
    Divergence,
    NoiseMeasurement,
    ReferenceObservation,
    SampleTolerance,
    ToleranceOrigin,
    Tolerances,
)

SAFETY = 5.0
"""Times the measured noise floor: stacks sum in more orders than the few that were measured. On clean runs of the
models and dtypes in benchmarks/README.md no split was further from the others or the reference than 2.3 times it."""

FLOOR = {
    # loss, gradient norm, gradient, weights. A float64 model's loss is computed in float32 by transformers' own loss
    # functions.
    "float64": Divergence(1e-6, 1e-6, 1e-6, 1e-6),
    "float32": Divergence(1e-5, 1e-5, 1e-5, 1e-6),
    "float16": Divergence(5e-4, 1e-3, 5e-3, 1e-3),
    "bfloat16": Divergence(2e-3, 5e-3, 2e-2, 8e-3),
}
"""Lower limit, however small the measured noise was: a few units of the dtype's rounding."""

CEILING = {"float64": 5e-5, "float32": 1e-3, "float16": 5e-2, "bfloat16": 1e-1}
"""Upper limit, however noisy the measurement was: a larger difference is not rounding. See the table of bounds
in docs/method.md."""

RANDOM = {"float64": 1e-5, "float32": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}
"""The same samples one by one, at the same weights, give the same losses: if their mean differs by more than this,
the forward pass is random. (Summing them again costs less than half a unit of the dtype.)"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The measured effect of floating point alone in this run: the largest of ``passes``; ``sample``: on one weight."""

    floor: Divergence
    passes: tuple[NoiseMeasurement, ...] = ()
    sample: SampleTolerance | None = None


def measured(reference: ReferenceObservation | None, recovered: Sequence[Recovery]) -> Measured:
    """The noise floor, including that of the weights, solved from the reference's recomputations of the first step.

    Args:
        reference: None if there is none.
        recovered: of each step; empty if weights are not recovered.
    """
    if reference is None:
        return Measured(Divergence(None, None, None))
    of_weights = recovered[0].noise if recovered else ()
    count = len(reference.membership[0]) if reference.membership else 0
    passes = tuple(
        NoiseMeasurement(
            order=one.order,
            samples_at_once=one.size,
            accumulation_steps=-(-count // one.size),
            apart=replace(one.apart, weights=of_weights[position] if position < len(of_weights) else None),
            factor=one.factor,
        )
        for position, one in enumerate(reference.recomputed)
    )
    floor = replace(reference.noise, weights=max(of_weights, default=None))
    if floor.grad_norm is not None and floor.weights is not None:
        # to first order the norm changes by the part of the noise along the gradient, which is in the samples' span;
        # in the few recomputations the signs of that part may cancel by chance
        floor = replace(floor, grad_norm=max(floor.grad_norm, floor.weights))
    samples = recovered[0].samples if recovered else None
    return Measured(floor, passes, samples.as_record() if samples is not None else None)


def random_by(reference: ReferenceObservation | None, dtype: str) -> float | None:
    """How far the result was off when the reference computed the same samples again, one by one; None: not at all.

    Args:
        reference: None if there is none.
        dtype: that the model computes in.
    """
    if reference is not None and reference.random is not None:
        return reference.random.apart
    again = [one.apart.loss for one in (reference.recomputed if reference is not None else ()) if one.size == 1]
    most = max((off for off in again if off is not None), default=0.0)
    return most if most > RANDOM[dtype] else None


def reporting_step(losses: Iterable[float | None], most: int = 6) -> float:
    """The unit to which the stack rounds reported losses, or 0 if it does not.

    transformers up to 4.57 logs four decimals: each reported loss may be off by half a unit of the last decimal.
    """
    known = [loss for loss in losses if loss is not None]
    if len(known) < 2:
        return 0.0
    for decimals in range(1, most + 1):
        if all(round(loss, decimals) == loss for loss in known):
            return float(10.0**-decimals)
    return 0.0


def resolve(wanted: ToleranceConfig, dtype: str, noise: Measured, losses: Sequence[float | None]) -> Tolerances:
    """The tolerances of a run, and where each comes from.

    The tolerance of the weights is part of the gradient's: a gradient tolerance that the user
    gave holds for them as well.

    Args:
        wanted: relative numbers from the configuration, None for auto.
        dtype: of the model.
        noise: as measured; its floor's fields may be None.
        losses: every loss that the stack reported, to find out how it rounds them.
    """
    floor, ceiling, found = FLOOR[dtype], CEILING[dtype], noise.floor
    loss, loss_origin = _one(wanted.loss, floor.loss, found.loss, ceiling)
    grad_norm, norm_origin = _one(wanted.grad_norm, floor.grad_norm, found.grad_norm, ceiling)
    gradient, gradient_origin = _one(wanted.gradient, floor.gradient, found.gradient, ceiling)
    origins = {"loss": loss_origin, "grad_norm": norm_origin, "gradient": gradient_origin}
    weights: float | None = None
    if found.weights is not None:
        weights, origins["weights"] = _one(wanted.gradient, floor.weights, found.weights, ceiling)
    half = reporting_step(losses) / 2
    return Tolerances(loss, grad_norm, gradient, found, weights, origins, noise.passes, half, noise.sample)


def _one(
    wanted: float | None, floor: float | None, noise: float | None, ceiling: float
) -> tuple[float, ToleranceOrigin]:
    least, from_noise = floor or 0.0, SAFETY * (noise or 0.0)
    if wanted is not None:
        return wanted, ToleranceOrigin("configuration", least, noise, SAFETY, ceiling=ceiling)
    limited = max(least, min(from_noise, ceiling))
    chosen: Literal["dtype", "noise", "ceiling"] = (
        "dtype" if from_noise <= least else "noise" if from_noise <= ceiling else "ceiling"
    )
    return limited, ToleranceOrigin(chosen, least, noise, SAFETY, ceiling=ceiling)
