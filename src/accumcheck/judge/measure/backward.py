"""The result of a step's backward passes, compared with the gradient that was applied.

The contribution of each micro-batch is seen before it is accumulated, reduced and applied. The sum of contributions is
what the program's loss gives; if the applied gradient differs, something between backward and step has changed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accumcheck.record import Coordinates, SplitObservation, StepObservation

Vector = npt.NDArray[np.float64]

SAME = {"float64": 1e-5, "float32": 1e-4, "float16": 1e-2, "bfloat16": 3e-2}
"""Relative tolerance between the applied gradient and the sum of contributions: it is summed in the
model's dtype, with the rounding of a few hundred micro-batches."""
_CLIPPED = 1e-3
"""Relative tolerance between the norms of clipped gradients and the limit."""


@dataclass(frozen=True, slots=True)
class Backward:
    """One step of one split, at the entries kept of contributions.

    ``made``: the sum over micro-batches, reduced over processes like the gradient, ``[entries]``;
    ``applied``: the gradient that the optimizers received, the same shape; ``norm``: of that whole gradient; ``times``:
    the multiple of ``made`` that is nearest to it; ``left``: the remainder, relative to ``applied``'s norm.
    """

    made: Vector
    applied: Vector
    norm: float
    times: float
    left: float


def backward_of(split: SplitObservation) -> list[Backward] | None:
    """Every step; None if contributions were not seen in all processes, or are NaN."""
    entries = entries_of(split)
    if not len(entries) or not split.steps:
        return None
    held = _held(split)[entries]
    found = []
    for step in split.steps:
        if (one := _of_step(step, entries, held, split.split.num_processes)) is None:
            return None
        found.append(one)
    return found


def entries_of(split: SplitObservation) -> npt.NDArray[np.int64]:
    """Which coordinates are kept of contributions, ``[entries]``; empty if that is not known."""
    entries = None if split.trained is None else split.trained.entries
    return np.zeros(0, dtype=np.int64) if entries is None else entries


def _held(split: SplitObservation) -> npt.NDArray[np.bool_]:
    """Which coordinates belong to a parameter in some optimizer, ``[coordinates]``."""
    assert split.trained is not None
    places, lacking = split.trained.coordinates, split.trained.lacking
    return np.repeat([name not in lacking for name in places.names], places.sizes)


def _of_step(
    step: StepObservation, entries: npt.NDArray[np.int64], held: npt.NDArray[np.bool_], processes: int
) -> Backward | None:
    each = step.contributions
    if len(each) != processes or any(added.shape[1:] != entries.shape for added in each.values()):
        return None
    whole = np.sum([added.sum(axis=0, dtype=np.float64) for added in each.values()], axis=0) * held
    applied = step.gradients[0][entries].astype(np.float64)
    if not (np.isfinite(whole).all() and np.isfinite(applied).all()):
        return None
    # gradients are usually averaged over processes, but some loops sum them: take whichever is nearer
    made = min((whole / processes, whole), key=lambda one: float(np.linalg.norm(applied - one)))
    square, norm = float(made @ made), float(np.linalg.norm(applied))
    times = float(made @ applied) / square if square > 0 else 0.0
    left = float(np.linalg.norm(applied - times * made))
    return Backward(made, applied, step.grad_norms[0], times, left / norm if norm > 0 else 0.0)


def clipped_by_hand(steps: Sequence[Backward], dtype: str) -> list[float]:
    """The factors by which each step's gradient was scaled to one common norm; all 1 if there is no common norm.

    A loop that clips without torch's functions leaves gradients with the same norm. That takes at least two steps:
    with one, it could be any factor.
    """
    limited = [one for one in steps if one.times < 1 - _CLIPPED and one.left <= SAME[dtype]]
    norms = [one.norm for one in limited]
    if len(limited) < 2 or max(norms) - min(norms) > _CLIPPED * max(norms):
        return [1.0] * len(steps)
    times = [one.times for one in limited]
    if min(times) <= 0 or max(times) - min(times) <= _CLIPPED * max(times):
        return [1.0] * len(steps)  # the same factor in all steps is not clipping
    return [one.times if one.times < 1 - _CLIPPED else 1.0 for one in steps]


def before_clips_by_hand(split: SplitObservation, dtype: str) -> SplitObservation:
    """The split's gradients before the program's own clipping; clipping by torch's functions is already undone."""
    seen = backward_of(split) if split.status == "ran" else None
    if seen is None:
        return split
    steps = []
    for step, factor in zip(split.steps, clipped_by_hand(seen, dtype), strict=True):
        if factor != 1:
            step = replace(
                step,
                gradients={process: gradient / factor for process, gradient in step.gradients.items()},
                grad_norms={process: norm / factor for process, norm in step.grad_norms.items()},
                parameter_norms=tuple(norm / factor for norm in step.parameter_norms),
                parameter_projections=tuple(tuple(one / factor for one in each) for each in step.parameter_projections),
                clip_coefficient=step.clip_coefficient * factor,
            )
        steps.append(step)
    return replace(split, steps=tuple(steps))


def added_to_all(control: SplitObservation, coordinates: Coordinates, dtype: str) -> Vector | None:
    """What the control's gradient has in addition to its backward passes, if that is the same in every step.

    While weights are fixed, a weight decay that a loop adds to the gradient is the same. A single step
    does not show this.

    Args:
        control: it ran.
        coordinates: of its gradients.
        dtype: in which the model computes.

    Returns:
        ``[coordinates]``; None if nothing is added, or it differs between steps, or it was not seen completely.
    """
    seen, entries = backward_of(control), entries_of(control)
    if seen is None or len(seen) < 2 or len(entries) != sum(coordinates.sizes) or not coordinates.complete:
        return None
    added = [one.applied - one.made for one in seen]
    sizes = [float(np.linalg.norm(one)) for one in added]
    if any(size <= SAME[dtype] * of.norm for size, of in zip(sizes, seen, strict=True)):
        return None
    if any(float(np.linalg.norm(one - added[0])) > SAME[dtype] * of.norm for one, of in zip(added, seen, strict=True)):
        return None
    found = np.zeros(len(entries))
    found[entries] = added[0]
    return found
