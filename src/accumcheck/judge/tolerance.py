"""How far two numbers may be apart and still be called equal: from what was measured, never guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from accumcheck.config.model import ToleranceConfig
from accumcheck.record import Divergence, Tolerances

SAFETY = 5.0
"""Times the measured noise floor: stacks sum in more orders than the few that were measured."""

FLOOR = {
    # loss, gradient norm, gradient. A float64 model's loss is computed in float32 by transformers' own loss functions.
    "float64": Divergence(1e-6, 1e-6, 1e-6),
    "float32": Divergence(1e-5, 1e-5, 1e-5),
    "float16": Divergence(5e-4, 1e-3, 5e-3),
    "bfloat16": Divergence(2e-3, 5e-3, 2e-2),
}
"""Never tighter than this, however lucky the measurement was: a few units of the dtype's rounding."""


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


def resolve(wanted: ToleranceConfig, dtype: str, noise: Divergence, losses: Sequence[float | None]) -> Tolerances:
    """The tolerances of a run.

    Args:
        wanted: relative numbers from the configuration, None for auto.
        dtype: of the model.
        noise: the measured noise floor; fields may be None.
        losses: every loss that the stack reported, to find out how it rounds them.
    """
    floor = FLOOR[dtype]
    unit = reporting_step(losses)
    smallest = min((abs(loss) for loss in losses if loss), default=0.0)
    rounding = unit / smallest if unit and smallest else 0.0
    auto_loss = max(floor.loss or 0.0, SAFETY * (noise.loss or 0.0) + rounding)
    auto_norm = max(floor.grad_norm or 0.0, SAFETY * (noise.grad_norm or 0.0))
    auto_gradient = max(floor.gradient or 0.0, SAFETY * (noise.gradient or 0.0))
    return Tolerances(
        loss=auto_loss if wanted.loss is None else wanted.loss,
        grad_norm=auto_norm if wanted.grad_norm is None else wanted.grad_norm,
        gradient=auto_gradient if wanted.gradient is None else wanted.gradient,
        noise_floor=noise,
    )
