"""Recovery: the weight of each sample's gradient in the update, by least squares.

The observed gradient is a linear combination of the samples' gradients, ``g = sum(w_i g_i)``. Solving it shows what the
stack did to every sample, whatever its code looks like.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.measure.errors import Vector
from accumcheck.record import SampleWeights

DROPPED_BELOW = 0.05
"""A weight below this part of the ideal one counts as zero: no mean of means reduces a sample that much."""

WELL_CONDITIONED = 1e10
"""Directions weaker than the strongest by this factor are left out of the solution: they would amplify rounding."""


BLOCK = 4096
"""Coordinates processed at once: with 128 samples that is 4 MiB in float64, which fits into a core's cache."""


def blocks(gradients: Vector, rows: Sequence[int]) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """These rows in float64, in blocks of coordinates: ``[rows, BLOCK]``, and which coordinates they are.

    All at once would be twice as large as the recorded array, and take longer to read than to compute.
    """
    first, last = (rows[0], rows[-1] + 1) if len(rows) else (0, 0)
    # rows that follow each other are read in place; others are gathered
    chosen = slice(first, last) if list(rows) == list(range(first, last)) else list(rows)
    for start in range(0, gradients.shape[1], BLOCK):
        part = slice(start, start + BLOCK)
        yield part, gradients[:, part][chosen].astype(np.float64, copy=False)


@dataclass(frozen=True)
class System:
    """The samples' gradients, factored once for every split.

    ``gradients``: ``[all, coordinates]``, of which ``rows`` are the samples; ``norms``: ``[samples]``; ``cosines``:
    ``g_i . g_j`` over their norms, ``[samples, samples]``, in the solved directions; ``inverse``: its
    pseudo-inverse; ``condition``: the condition number in all directions.
    """

    gradients: Vector
    rows: list[int]
    norms: npt.NDArray[np.float64]
    cosines: npt.NDArray[np.float64]
    inverse: npt.NDArray[np.float64]
    condition: float

    @classmethod
    def of(cls, gradients: Vector, rows: Sequence[int] | None = None) -> System | None:
        """Factor the gradients of these rows of ``[all, coordinates]``; None if one is not finite, or without rows."""
        chosen = list(range(len(gradients)) if rows is None else rows)
        if not chosen:  # a step that was fed nothing
            return None
        gram = np.zeros((len(chosen), len(chosen)))
        for _, part in blocks(gradients, chosen):
            gram += part @ part.T
        if not np.isfinite(gram).all():
            return None
        norms = np.sqrt(np.diagonal(gram))
        unit = np.where(norms > 0, norms, 1.0)
        cosines = gram / np.outer(unit, unit)
        values, vectors = np.linalg.eigh(cosines)
        largest = float(values[-1])
        condition = largest / float(values[0]) if values[0] > 0 else float("inf")
        kept = values > largest / WELL_CONDITIONED
        strong, strengths = vectors[:, kept], values[kept]
        inverse = (strong / strengths) @ strong.T
        solved = (strong * strengths) @ strong.T
        return cls(gradients, chosen, norms, solved, inverse, condition)

    @property
    def rank(self) -> int:
        """How many directions are solved for."""
        return round(float(np.trace(self.inverse @ self.cosines)))

    @property
    def determined(self) -> npt.NDArray[np.float64]:
        """How much of each weight the gradients determine, ``[samples]``: 1 but where some lie in others' span."""
        return np.diagonal(self.inverse @ self.cosines)

    @property
    def unit_errors(self) -> npt.NDArray[np.float64]:
        """By how much noise of norm 1 in each direction moves each weight, ``[samples]``: its standard error."""
        unit = np.where(self.norms > 0, self.norms, 1.0)
        return np.asarray(np.sqrt(np.maximum(np.diagonal(self.inverse), 0.0)) / unit)

    @property
    def gram(self) -> npt.NDArray[np.float64]:
        """``g_i . g_j``, ``[samples, samples]``, in the solved directions.

        The effect of weights in the other directions stays in the residual; recovered weights do not show it.
        """
        return self.cosines * np.outer(self.norms, self.norms)

    def solve(
        self, observed: Sequence[Vector], shares: npt.NDArray[np.float64] | None = None
    ) -> list[tuple[npt.NDArray[np.float64], float]]:
        """Solve gradients (each ``[coordinates]``) together, since reading the samples' gradients takes most time.

        Args:
            observed: the gradients.
            shares: ``[samples]``. Where many weights give the same gradient, as with fewer parameters than samples,
                the ones nearest to a multiple of these are taken; without them, the least.

        Returns:
            For each the weights, ``[samples]``, and the residual, relative to its norm.
        """
        if not observed:
            return []
        unit = np.where(self.norms > 0, self.norms, 1.0)
        along = np.zeros((len(observed), len(self.rows)))
        for part, columns in blocks(self.gradients, self.rows):
            along += np.stack([gradient[part] for gradient in observed]).astype(np.float64, copy=False) @ columns.T
        weights = np.zeros_like(along)
        if shares is not None and (square := float(shares @ self.gram @ shares)) > 0:
            weights = np.outer(along @ shares / square, shares)
            along -= weights @ self.gram
        weights += (along / unit) @ self.inverse / unit
        left = np.zeros(len(observed))
        for part, columns in blocks(self.gradients, self.rows):
            off = np.stack([gradient[part] for gradient in observed]) - weights @ columns
            left += np.einsum("ij,ij->i", off, off)
        norms = [float(np.linalg.norm(gradient.astype(np.float64, copy=False))) for gradient in observed]
        return [
            (found, float(np.sqrt(rest)) / norm if norm > 0 else 0.0)
            for found, rest, norm in zip(weights, left, norms, strict=True)
        ]


def weight_error(
    weights: npt.NDArray[np.float64], right: npt.NDArray[np.float64], gram: npt.NDArray[np.float64]
) -> float:
    """``||sum((w_i - w'_i) g_i)|| / ||sum(w'_i g_i)||``: the effect of wrong weights on the gradient, without residual.

    Args:
        weights: ``[samples]``.
        right: the same shape.
        gram: ``g_i . g_j``, ``[samples, samples]``.
    """
    off = weights - right
    error, norm = max(float(off @ gram @ off), 0.0), max(float(right @ gram @ right), 0.0)
    if norm == 0:
        return 0.0 if error == 0 else math.inf
    return math.sqrt(error / norm)


def summarise(
    weights: Sequence[npt.NDArray[np.float64]],
    ideals: Sequence[npt.NDArray[np.float64]],
    members: Sequence[Sequence[int]],
    residuals: Sequence[float],
    condition: float,
    scale: float = 1.0,
) -> SampleWeights:
    """The weights of all steps of a split, relative to the ideal ``c_i / N``.

    Args:
        weights: recovered, one array ``[samples]`` per step.
        ideals: ``c_i / N``, the same shapes.
        members: the sample index of each entry, the same shapes.
        residuals: one per step.
        condition: the worst of the steps.
        scale: a common factor of all weights, if a rule explains it: a sample counts as dropped if its weight is
            negligible compared with ``scale`` times its ideal weight.
    """
    ratios = [_ratios(recovered, ideal) for recovered, ideal in zip(weights, ideals, strict=True)]
    every = np.concatenate(ratios)
    indices = [index for step in members for index in step]
    middle = float(np.median(every))
    gone = np.abs(every) < DROPPED_BELOW * abs(scale)
    # if all weights are zero, the gradient is small, and no particular sample is missing
    dropped = [] if gone.all() else [index for index, none in zip(indices, gone, strict=True) if none]
    # twice the others only means "seen twice" if the others agree with each other
    others_agree = float(np.mean(np.abs(every - middle) < 0.05 * abs(middle))) > 0.5
    twice = [
        index
        for index, ratio in zip(indices, every, strict=True)
        if others_agree and abs(ratio - 2 * middle) < 0.1 * abs(middle)
    ]
    scales = [
        float(recovered.sum() / ideal.sum()) if ideal.any() else 1.0
        for recovered, ideal in zip(weights, ideals, strict=True)
    ]
    return SampleWeights(
        scale=max(scales, key=lambda scale: abs(scale - 1)),
        min=float(every.min()),
        max=float(every.max()),
        dropped=tuple(sorted(set(dropped))),
        duplicated=tuple(sorted(set(twice))),
        residual=max(residuals),
        condition=condition,
        values=tuple(float(f"{ratio:.6g}") for ratio in ratios[0]),  # for a picture
    )


def _ratios(weights: npt.NDArray[np.float64], ideal: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Recovered over ideal; 1 for a sample with ideal weight 0, which predicts no token."""
    counted = ideal > 0
    return np.where(counted, weights / np.where(counted, ideal, 1.0), 1.0)
