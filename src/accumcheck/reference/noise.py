"""The noise floor: what floating point alone does to this very batch, measured.

The right loss and gradient of one global batch are computed again in other orders and micro-batch shapes, accumulated
in the run's own dtype as a stack would, and compared with the sum of the single samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.record import Divergence
from accumcheck.reference.samples import LossOf
from accumcheck.workload.assemble import Workload

CEILING = {"float64": 1e-5, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Beyond this, a difference between batches and single samples is no rounding: the model depends on its batch."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The right loss, gradient (``[coordinates]``) and gradient norm of one global batch."""

    loss: float
    gradient: npt.NDArray[np.float64]
    grad_norm: float


def measure_noise(
    workload: Workload,
    loss_of: LossOf,
    members: Sequence[int],
    tokens: npt.NDArray[np.int64],
    truth: Truth,
    reader: GradientReader,
    shapes: Sequence[int],
    dtype: str,
) -> tuple[Divergence, float]:
    """Compute the batch anew in micro-batches of each of ``shapes`` samples, in reversed order.

    Returns:
        The largest relative differences that stay below the dtype's ceiling, and the largest difference, in loss or
        gradient, above it (0 if there is none): batching did that, not rounding.
    """
    total = int(tokens[list(members)].sum())
    worst = {"loss": 0.0, "grad_norm": 0.0, "gradient": 0.0}
    effect = 0.0
    backwards = list(reversed(members))
    for shape in shapes:
        workload.model.zero_grad(set_to_none=True)
        loss = 0.0
        for start in range(0, len(backwards), shape):
            chosen = backwards[start : start + shape]
            mean, _ = loss_of(workload.collator([workload.samples[index] for index in chosen]))
            part = mean * (int(tokens[chosen].sum()) / total)
            torch.autograd.backward(part)
            loss += float(part.detach())
        entries, norm = reader.read(workload.model)
        found = {
            "loss": abs(loss - truth.loss) / abs(truth.loss),
            "grad_norm": abs(norm - truth.grad_norm) / truth.grad_norm,
            "gradient": float(np.linalg.norm(entries - truth.gradient) / np.linalg.norm(truth.gradient)),
        }
        if shape > 1 and max(found["loss"], found["gradient"]) > CEILING[dtype]:
            effect = max(effect, found["loss"], found["gradient"])
            continue
        worst = {name: max(worst[name], found[name]) for name in worst}
    workload.model.zero_grad(set_to_none=True)
    return Divergence(worst["loss"], worst["grad_norm"], worst["gradient"]), effect
