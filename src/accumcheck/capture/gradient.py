"""One step's gradient, put together from what each optimizer applied and what was there before it was clipped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.clipping import Clip
from accumcheck.capture.coordinates import GradientReader, Reading

_SAME = 8
"""In units of the dtype's epsilon: how far an entry may be from its clipped value and still be it."""


@dataclass(frozen=True, slots=True)
class StepGradient:
    """``entries``: ``[coordinates]``; ``norms``: of each parameter's whole gradient, ``[parameters]``."""

    entries: npt.NDArray[np.floating[Any]]
    norms: npt.NDArray[np.float64]
    clip_coefficient: float

    @property
    def norm(self) -> float:
        """Of the whole gradient."""
        return float(np.sqrt(np.square(self.norms).sum()))


def put_together(
    reader: GradientReader,
    applied: Mapping[int, Reading],
    unclipped: Mapping[int, Reading],
    clips: Sequence[Clip],
) -> StepGradient:
    """The gradient that the optimizers were given, before it was clipped.

    Args:
        reader: says where each parameter's entries go; those that no optimizer applied are zeros.
        applied: by the parameter's position, when it was about to be changed.
        unclipped: the same before the first of ``clips``.
        clips: those after the window's last backward pass. What a clip left is undone exactly, from what was there
            before; where something else has changed the gradient since, by the clip's coefficient.
    """
    coefficient = math.prod(clip.coefficient for clip in clips)
    by_value = any(clip.by == "value" for clip in clips)
    limit = min((clip.limit for clip in clips if clip.by == "value"), default=math.inf)
    entries, norms = [], []
    for position, size in enumerate(reader.coordinates.sizes):
        found, before = applied.get(position), unclipped.get(position)
        if found is None:
            entries.append(np.zeros(size, dtype=np.float32))
            norms.append(0.0)
            continue
        if coefficient < 1 and before is not None:
            after = before.entries.clip(-limit, limit) if by_value else before.entries * coefficient
            if np.allclose(found.entries, after, rtol=_SAME * torch.finfo(found.dtype).eps, atol=1e-30):
                found = before
            elif not by_value and coefficient > 0:
                found = Reading(found.entries / coefficient, found.norm / coefficient, found.dtype)
        entries.append(found.entries)
        norms.append(found.norm)
    whole = np.concatenate(entries) if entries else np.zeros(0, dtype=np.float32)
    return StepGradient(whole, np.array(norms, dtype=np.float64), coefficient)
