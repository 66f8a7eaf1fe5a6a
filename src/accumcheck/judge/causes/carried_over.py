"""What is carried over from step to step: the scale of each step's weights, and whether a counter was not reset."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.recovery import weight_error
from accumcheck.record import Split


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """``words``: a description; ``is_count``: the numbers match a token count that is never reset."""

    words: str
    is_count: bool


def carried_over(seen: Evidence, split: Split, since: int) -> CarriedOver | None:
    """What the weights of the steps from ``since`` on (counted from 1) have in common; None if nothing."""
    scales = [_scale(seen, split, position) for position in range(since - 1, len(seen.recovered))]
    known = [scale for scale in scales if scale is not None]
    if not known or len(known) != len(scales):
        return None
    told = ", ".join(f"{scale:.3g} (step {since + at})" for at, scale in enumerate(known[:4]))
    words = f"In these steps, every sample has the same multiple of its right weight: {told}"
    if _is_running_count(seen, known, since):
        is_count = "That is the tokens of the step divided by those of all steps so far: a count that is never reset."
        return CarriedOver(f"{words}. {is_count}", is_count=True)
    return CarriedOver(f"{words}.", is_count=False)


def _scale(seen: Evidence, split: Split, position: int) -> float | None:
    """The common factor between a step's weights and the right ones; None if they have no common factor."""
    recovery = seen.recovered[position]
    found = recovery.of.get(split)
    if found is None:
        return None
    norm = float(found.ideal @ recovery.gram @ found.ideal)
    scale = float(found.weights @ recovery.gram @ found.ideal) / norm if norm > 0 else 0.0
    tolerance = seen.tolerances.gradient if seen.tolerances.weights is None else seen.tolerances.weights
    alike = scale > 0 and weight_error(found.weights, scale * found.ideal, recovery.gram) <= tolerance
    return scale if alike else None


def _is_running_count(seen: Evidence, scales: Sequence[float], since: int) -> bool:
    counts = [recovery.truth.tokens for recovery in seen.recovered]
    tolerance = max(seen.tolerances.gradient, 1e-6)
    return all(
        math.isclose(scale, counts[position] / sum(counts[: position + 1]), rel_tol=tolerance)
        for position, scale in enumerate(scales, start=since - 1)
    )
