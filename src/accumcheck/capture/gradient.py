"""One step's gradient, combined from what each optimizer applied and from the gradients before clipping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.capture.clipping import Clip
from accumcheck.capture.coordinates import PROJECTIONS, GradientReader, Reading
from accumcheck.capture.unclipped import Before


@dataclass(frozen=True, slots=True)
class StepGradient:
    """``entries``: ``[coordinates]``; ``norms``: of each parameter's whole gradient, ``[parameters]``.

    ``projections``: the same for parameters whose entries are not all kept, see `Reading`; ``clips``: how often it was
    clipped; ``own_norm``: of the whole gradient as torch computes it in the gradient's dtype, None if not seen.
    """

    entries: npt.NDArray[np.floating[Any]]
    norms: npt.NDArray[np.float64]
    clip_coefficient: float
    projections: tuple[tuple[float, ...], ...] = ()
    clips: int = 0
    own_norm: float | None = None

    @property
    def norm(self) -> float:
        """The norm of the whole gradient."""
        return float(np.sqrt(np.square(self.norms).sum()))

    @property
    def norm_rounding(self) -> float:
        """The relative error of the norm that torch computes in the gradient's dtype; 0 if that was not seen.

        On CPUs, the norm of a tensor of 65 million entries in float32 is off by a few 1e-4: torch clips by it, and
        Trainer logs it.
        """
        if self.own_norm is None or not self.norm > 0 or not math.isfinite(self.own_norm):
            return 0.0
        return abs(self.own_norm - self.norm) / self.norm


def put_together(
    reader: GradientReader,
    applied: Mapping[int, Reading],
    unclipped: Mapping[int, Before],
    clips: Sequence[Clip],
) -> StepGradient:
    """The gradient that the optimizers were given, before clipping.

    Args:
        reader: says where each parameter's entries go; zeros for parameters that no optimizer applied.
        applied: by the parameter's position, just before it was changed.
        unclipped: the gradients before ``clips``, for the parameters that these clips include.
        clips: the clips after the window's last backward pass.
    """
    coefficient = math.prod(clip.coefficient for clip in clips)
    entries, norms, projections, own = [], [], [], []
    for position, size in enumerate(reader.coordinates.sizes):
        found, before = applied.get(position), unclipped.get(position)
        if found is None:
            entries.append(np.zeros(size, dtype=np.float32))
            norms.append(0.0)
            own.append(0.0)
            projections.append((0.0,) * (0 if reader.picks[position] is None else PROJECTIONS))
            continue
        if before is not None:
            found = before.undo(found, clips)
        entries.append(found.entries)
        norms.append(found.norm)
        own.append(found.norm if found.own_norm is None else found.own_norm)
        projections.append(found.projections)
    whole = np.concatenate(entries) if entries else np.zeros(0, dtype=np.float32)
    return StepGradient(
        whole,
        np.array(norms, dtype=np.float64),
        coefficient,
        tuple(projections),
        len(clips),
        own_norm=math.hypot(*own),
    )
