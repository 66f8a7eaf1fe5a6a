"""The gradients of all splits at the same coordinates, even if they do not train the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from accumcheck.record import Coordinates, SplitObservation
from accumcheck.record.observed import HeldWeights


def aligned(observations: Sequence[SplitObservation], common: Coordinates | None) -> list[SplitObservation]:
    """All gradients at the same coordinates: the reference's, or else those of the first split that trained.

    A split that does not train some parameter has zeros there.
    """
    seen = [observation.trained.coordinates for observation in observations if observation.trained is not None]
    if common is None and seen:
        common = seen[0]
    return [observation if common is None else _at(observation, common) for observation in observations]


def at_coordinates(
    gradient: npt.NDArray[np.floating[Any]], own: Coordinates, common: Coordinates
) -> npt.NDArray[np.floating[Any]]:
    """A gradient at its ``own`` coordinates moved to the ``common`` ones; zeros for parameters that it lacks."""
    if (own.names, own.sizes) == (common.names, common.sizes):
        return gradient
    place = {name: (start, size) for name, start, size in zip(own.names, own.starts, own.sizes, strict=True)}
    found = np.zeros(sum(common.sizes), dtype=gradient.dtype)
    for name, start, size in zip(common.names, common.starts, common.sizes, strict=True):
        begin, kept = place.get(name, (0, 0))
        kept = min(size, kept)
        found[start : start + kept] = gradient[begin : begin + kept]
    return found


def _at(observation: SplitObservation, common: Coordinates) -> SplitObservation:
    own = None if observation.trained is None else observation.trained.coordinates
    if own is None or (own.names, own.sizes) == (common.names, common.sizes):
        return observation
    norms = {name: at for at, name in enumerate(own.names)}
    weights = observation.weights

    def moved(gradient: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        return at_coordinates(gradient, own, common)

    return replace(
        observation,
        steps=tuple(
            replace(
                step,
                gradients={process: moved(gradient) for process, gradient in step.gradients.items()},
                parameter_norms=tuple(
                    step.parameter_norms[norms[name]] if name in norms and step.parameter_norms else 0.0
                    for name in common.names
                ),
                change=None if step.change is None else moved(step.change),
                parameter_projections=(),
                contributions={},
            )
            for step in observation.steps
        ),
        weights=None if weights is None else HeldWeights(moved(weights.values), moved(weights.unit)),
    )
