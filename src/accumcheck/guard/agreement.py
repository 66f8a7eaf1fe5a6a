"""Whether all processes are about to apply the same gradient, told from a few of its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

PARAMETERS = 4


def sketch(model: torch.nn.Module) -> list[float]:
    """Of the first parameters that have a gradient, its norm and its sum: a few numbers that tell gradients apart."""
    found: list[float] = []
    for parameter in model.parameters():
        if parameter.grad is not None and len(found) < 2 * PARAMETERS:
            gradient = parameter.grad.detach().float()
            found += [float(gradient.norm()), float(gradient.sum())]
    return found


def apart(sketches: Sequence[Sequence[float] | None]) -> float:
    """The largest difference between two processes, relative to the norm of the parameter; 0 where nothing is known."""
    known = [one for one in sketches if one]
    if len(known) < len(sketches) or len({len(one) for one in known}) != 1:
        return 0.0
    largest = 0.0
    for values in zip(*[one[0::2] for one in known], strict=True):
        top = max(values)
        if not all(map(math.isfinite, values)):
            return 0.0  # not a number is told by the loss
        largest = max(largest, (top - min(values)) / top if top else 0.0)
    return largest
