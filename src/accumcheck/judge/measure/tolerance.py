"""How much two numbers may differ and still count as equal: from what was measured, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from accumcheck.config.model import ToleranceConfig
from accumcheck.judge.measure.compare import Recovery
from accumcheck.record import (
    Divergence,
    NoiseMeasurement,
    ReferenceObservation,
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


@dataclass(frozen=True, slots=True)
class Measured:
    """What floating point alone does in this run: the largest of ``passes``."""

    floor: Divergence
    passes: tuple[NoiseMeasurement, ...] = ()


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
        )
        for position, one in enumerate(reference.recomputed)
    )
    floor = replace(reference.noise, weights=max(of_weights, default=None))
    if floor.grad_norm is not None and floor.weights is not None:
        # to first order the norm changes by the part of the noise along the gradient, which lies in the samples' span;
        # in the few recomputations the signs of that part may happen to cancel
        floor = replace(floor, grad_norm=max(floor.grad_norm, floor.weights))
    return Measured(floor, passes)


def reporting_step(losses: Iterable[float | None], most: int = 6) -> float:
    """The unit that the stack rounds the losses it reports to, or 0 where it does not.

    transformers up to 4.57 logs four decimals; that limits how closely two reported losses can be compared.
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
    unit = reporting_step(losses)
    smallest = min((abs(loss) for loss in losses if loss), default=0.0)
    rounding = unit / smallest if unit and smallest else 0.0
    floor, found = FLOOR[dtype], noise.floor
    loss, loss_origin = _one(wanted.loss, floor.loss, found.loss, rounding)
    grad_norm, norm_origin = _one(wanted.grad_norm, floor.grad_norm, found.grad_norm)
    gradient, gradient_origin = _one(wanted.gradient, floor.gradient, found.gradient)
    origins = {"loss": loss_origin, "grad_norm": norm_origin, "gradient": gradient_origin}
    weights: float | None = None
    if found.weights is not None:
        weights, origins["weights"] = _one(wanted.gradient, floor.weights, found.weights)
    return Tolerances(loss, grad_norm, gradient, found, weights, origins, noise.passes)


def _one(
    wanted: float | None, floor: float | None, noise: float | None, rounding: float = 0.0
) -> tuple[float, ToleranceOrigin]:
    least, from_noise = floor or 0.0, SAFETY * (noise or 0.0) + rounding
    if wanted is not None:
        return wanted, ToleranceOrigin("configuration", least, noise, SAFETY, rounding)
    chosen = ToleranceOrigin("noise" if from_noise > least else "dtype", least, noise, SAFETY, rounding)
    return max(least, from_noise), chosen
