"""The gradient before a window's clips, parameter by parameter, and what each of these clips did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from accumcheck.capture.clipping import Clip
from accumcheck.capture.coordinates import Reading

_SAME = 8
"""Tolerance for recognising an entry as its clipped value, in units of the dtype's epsilon."""


@dataclass(frozen=True, slots=True)
class Before:
    """One parameter's gradient before it was clipped, and the clips that followed, in order."""

    reading: Reading
    clips: tuple[Clip, ...] = ()

    def undo(self, applied: Reading, of_step: Sequence[Clip]) -> Reading:
        """The applied gradient without the clips that belong to the step.

        Exact, from the kept gradient; if something else has changed the gradient since, by dividing by the clips'
        coefficients.
        """
        clips = [clip for clip in self.clips if any(clip is one for one in of_step)]
        after, coefficient = self.reading.entries, 1.0
        for clip in clips:
            if clip.by == "value":
                after = after.clip(-clip.limit, clip.limit)
            else:
                after, coefficient = after * clip.coefficient, coefficient * clip.coefficient
        if all(clip.coefficient == 1 for clip in clips):
            return applied
        if np.allclose(applied.entries, after, rtol=_SAME * torch.finfo(applied.dtype).eps, atol=1e-30):
            return self.reading
        if coefficient > 0 and all(clip.by == "norm" for clip in clips):
            return applied.over(coefficient)
        return applied


class Unclipped:
    """Keeps the gradient before the first clip after a backward pass. Two clips in a row are both undone."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], Before] = {}
        self._clipping: tuple[tuple[int, int], ...] = ()

    def about_to_clip(self, readings: Mapping[int, Reading], groups: int) -> None:
        """Gradients are about to be clipped.

        Args:
            readings: by the parameter's position.
            groups: how many groups of the window have contributed.
        """
        for position, reading in readings.items():
            self._of.setdefault((groups, position), Before(reading))
        self._clipping = tuple((groups, position) for position in readings)

    def clipped(self, clip: Clip) -> None:
        """These gradients have now been clipped."""
        for place in self._clipping:
            before = self._of[place]
            self._of[place] = Before(before.reading, (*before.clips, clip))

    def take(self, groups: int) -> dict[int, Before]:
        """Everything of a window of this many groups, by the parameter's position; the rest belongs to the next.

        With several clips, the gradient before the last one: a clip within the window cannot be undone.
        """
        found = {position: self._of[at, position] for at, position in sorted(self._of) if at <= groups}
        self._of = {(at - groups, position): one for (at, position), one in self._of.items() if at > groups}
        return found
