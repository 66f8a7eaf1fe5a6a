"""Check on a few parameters whether all processes are about to apply the same gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import torch

PARAMETERS = 4


def sketch(model: torch.nn.Module) -> list[float]:
    """The gradient norms of the first parameters with a gradient. They differ for gradients of different rows."""
    with_gradient = (parameter.grad for parameter in model.parameters() if parameter.grad is not None)
    return [float(gradient.detach().float().norm()) for gradient in islice(with_gradient, PARAMETERS)]


def largest_difference(sketches: Sequence[Sequence[float] | None]) -> float:
    """The largest difference between two processes, relative to the norm of the parameter; 0 if nothing is known."""
    known = [one for one in sketches if one]
    if len(known) < len(sketches) or len({len(one) for one in known}) != 1:
        return 0.0
    largest = 0.0
    for values in zip(*known, strict=True):
        top = max(values)
        if not all(map(math.isfinite, values)):
            return 0.0  # NaN is reported with the loss
        largest = max(largest, (top - min(values)) / top if top else 0.0)
    return largest
