"""How much two numbers may differ and still count as equal: from what was measured, never guessed."""

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
"""Never tighter than this, however lucky the measurement was: a few units of the dtype's rounding."""

CEILING = {"float64": 5e-5, "float32": 1e-3, "float16": 5e-2, "bfloat16": 1e-1}
"""Never wider than this, however noisy the measurement was: what is beyond it is no rounding. See the table of bounds
in docs/method.md."""

RANDOM = {"float64": 1e-5, "float32": 1e-4, "float16": 2e-3, "bfloat16": 1e-2}
"""The same samples one by one, at the same weights, give the same losses: a mean of them that differs by more than this
was computed by a forward pass that is random. (Summing them again costs less than half a unit of the dtype.)"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What floating point alone does in this run: the largest of ``passes``; ``sample``: to one sample's weight."""

    floor: Divergence
    passes: tuple[NoiseMeasurement, ...] = ()
    sample: SampleTolerance | None = None


def measured(reference: ReferenceObservation | None, recovered: Sequence[Recovery]) -> Measured:
    """The noise floor, with that of the weights: solved from the reference's own recomputations of the first step.

    Args:
        reference: None where there is none.
        recovered: of each step; empty where weights are not to be recovered.
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
        # to first order the norm changes by the part of the noise along the gradient, which lies in the samples' span;
        # in the few recomputations the signs of that part may happen to cancel
        floor = replace(floor, grad_norm=max(floor.grad_norm, floor.weights))
    samples = recovered[0].samples if recovered else None
    return Measured(floor, passes, samples.as_record() if samples is not None else None)


def random_by(reference: ReferenceObservation | None, dtype: str) -> float | None:
    """How far the result was off when the reference computed the same samples, one by one, again; None: not at all.

    Args:
        reference: None where there is none.
        dtype: that the model computes in.
    """
    if reference is not None and reference.random is not None:
        return reference.random.apart
    again = [one.apart.loss for one in (reference.recomputed if reference is not None else ()) if one.size == 1]
    most = max((off for off in again if off is not None), default=0.0)
    return most if most > RANDOM[dtype] else None


def reporting_step(losses: Iterable[float | None], most: int = 6) -> float:
    """The unit that the stack rounds the losses it reports to, or 0 where it does not.

    transformers up to 4.57 logs four decimals: each reported loss may be half a unit of the last one off.
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

    The tolerance of the weights belongs to the gradient's, of which they are a part: a gradient tolerance that the user
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
