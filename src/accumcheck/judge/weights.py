"""Recovery: which weight each sample's gradient had in the update, by least squares.

The observed gradient is a linear combination of the samples' gradients, ``g = sum(w_i g_i)``. Solving it says what the
stack did to every sample, whatever its code looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.divergence import Vector
from accumcheck.record import SampleWeights

DROPPED_BELOW = 0.05
"""A weight this small beside the ideal one is none: no mean of means shrinks a sample so far by itself."""

WELL_CONDITIONED = 1e10
"""Directions weaker than this beside the strongest are left out of the solution: they would amplify rounding."""


@dataclass(frozen=True)
class System:
    """The samples' gradients, factored once for every split.

    ``columns``: ``[samples, coordinates]``, scaled to norm 1; ``norms``: ``[samples]``; ``cosines``: ``columns @
    columns.T``; ``inverse``: its pseudo-inverse; ``condition``: its condition number.
    """

    columns: npt.NDArray[np.float64]
    norms: npt.NDArray[np.float64]
    cosines: npt.NDArray[np.float64]
    inverse: npt.NDArray[np.float64]
    condition: float

    @classmethod
    def of(cls, gradients: Vector) -> System:
        """Factor these gradients, ``[samples, coordinates]``."""
        columns = gradients.astype(np.float64)
        norms = np.linalg.norm(columns, axis=1)
        columns /= np.where(norms > 0, norms, 1.0)[:, None]
        cosines = columns @ columns.T
        values, vectors = np.linalg.eigh(cosines)
        largest = float(values[-1])
        condition = largest / float(values[0]) if values[0] > 0 else float("inf")
        kept = values > largest / WELL_CONDITIONED
        inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        return cls(columns, norms, cosines, inverse, condition)

    @property
    def gram(self) -> npt.NDArray[np.float64]:
        """``g_i . g_j``, ``[samples, samples]``."""
        return self.cosines * np.outer(self.norms, self.norms)

    def solve(self, gradient: Vector) -> tuple[npt.NDArray[np.float64], float]:
        """The weights, ``[samples]``, and the part of the gradient left unexplained, relative to its norm."""
        observed = gradient.astype(np.float64, copy=False)
        scaled = self.inverse @ (self.columns @ observed)
        left = np.linalg.norm(observed - scaled @ self.columns)
        norm = np.linalg.norm(observed)
        weights = scaled / np.where(self.norms > 0, self.norms, 1.0)
        return weights, float(left / norm) if norm > 0 else 0.0


def summarise(
    weights: Sequence[npt.NDArray[np.float64]],
    ideals: Sequence[npt.NDArray[np.float64]],
    members: Sequence[Sequence[int]],
    residuals: Sequence[float],
    condition: float,
) -> SampleWeights:
    """The weights of all steps of a split, as ratios to the ideal ``c_i / N``.

    Args:
        weights: recovered, one array ``[samples]`` a step.
        ideals: ``c_i / N``, the same shapes.
        members: the sample index of each entry, the same shapes.
        residuals: one a step.
        condition: the worst of the steps.
    """
    ratios = [recovered / ideal for recovered, ideal in zip(weights, ideals, strict=True)]
    every = np.concatenate(ratios)
    indices = [index for step in members for index in step]
    middle = float(np.median(every))
    dropped = [index for index, ratio in zip(indices, every, strict=True) if abs(ratio) < DROPPED_BELOW * abs(middle)]
    # twice the others only means "seen twice" where the others agree with each other
    others_agree = float(np.mean(np.abs(every - middle) < 0.05 * abs(middle))) > 0.5
    twice = [
        index
        for index, ratio in zip(indices, every, strict=True)
        if others_agree and abs(ratio - 2 * middle) < 0.1 * abs(middle)
    ]
    scales = [float(recovered.sum() / ideal.sum()) for recovered, ideal in zip(weights, ideals, strict=True)]
    return SampleWeights(
        scale=max(scales, key=lambda scale: abs(scale - 1)),
        min=float(every.min()),
        max=float(every.max()),
        dropped=tuple(sorted(set(dropped))),
        duplicated=tuple(sorted(set(twice))),
        residual=max(residuals),
        condition=condition,
    )
