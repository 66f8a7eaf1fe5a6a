"""What the backward passes of a step have made, beside the gradient that was applied.

What each micro-batch adds is seen before it is accumulated, reduced and applied. Their sum says what the program's loss
asks for; where the applied gradient is another one, something between backward and step has made it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from accumcheck.record import Coordinates, SplitObservation, StepObservation

Vector = npt.NDArray[np.float64]

SAME = {"float64": 1e-5, "float32": 1e-4, "float16": 1e-2, "bfloat16": 3e-2}
"""How far, relative to its norm, the applied gradient may be from the sum that it is called: it is summed in the
model's dtype, in which a few hundred micro-batches round."""
_CLIPPED = 1e-3
"""How closely the norms of clipped gradients are the limit."""


@dataclass(frozen=True, slots=True)
class Backward:
    """One step of one split, at the entries that are kept of contributions.

    ``made``: the sum over micro-batches and processes, as its reduction over processes makes it, ``[entries]``;
    ``applied``: the gradient that the optimizers received, the same shape; ``norm``: of all of that; ``times``: the
    multiple of ``made`` that comes nearest to it; ``left``: what that leaves over, relative to ``applied``'s norm.
    """

    made: Vector
    applied: Vector
    norm: float
    times: float
    left: float


def backward_of(split: SplitObservation) -> list[Backward] | None:
    """Every step; None where contributions were not seen in all processes, or are no numbers."""
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
    """Which coordinates are kept of contributions, ``[entries]``; none where that is not known."""
    return np.array(split.trained.entries if split.trained is not None else (), dtype=np.int64)


def _held(split: SplitObservation) -> npt.NDArray[np.bool_]:
    """Which coordinates belong to a parameter that some optimizer holds, ``[coordinates]``."""
    assert split.trained is not None
    places, lacking = split.trained.coordinates, split.trained.lacking
    return np.repeat([name not in lacking for name in places.names], places.sizes)


def _of_step(
    step: StepObservation, entries: npt.NDArray[np.int64], held: npt.NDArray[np.bool_], processes: int
) -> Backward | None:
    each = step.contributions
    if len(each) != processes or any(added.shape[1:] != entries.shape for added in each.values()):
        return None
    whole = np.sum([added.astype(np.float64).sum(axis=0) for added in each.values()], axis=0) * held
    applied = step.gradients[0].astype(np.float64)[entries]
    if not (np.isfinite(whole).all() and np.isfinite(applied).all()):
        return None
    # gradients are averaged over processes as a rule, and summed by some loops: whichever comes nearer
    made = min((whole / processes, whole), key=lambda one: float(np.linalg.norm(applied - one)))
    square, norm = float(made @ made), float(np.linalg.norm(applied))
    times = float(made @ applied) / square if square > 0 else 0.0
    left = float(np.linalg.norm(applied - times * made))
    return Backward(made, applied, step.grad_norms[0], times, left / norm if norm > 0 else 0.0)


def clipped_by_hand(steps: Sequence[Backward], dtype: str) -> list[float]:
    """By what the gradient of each step was multiplied so that its norm is one limit; all 1 where that is not seen.

    A loop that clips without torch's functions leaves gradients of one norm, whatever they were before: in two steps at
    least, else it is any factor.
    """
    limited = [one for one in steps if one.times < 1 - _CLIPPED and one.left <= SAME[dtype]]
    norms = [one.norm for one in limited]
    if len(limited) < 2 or max(norms) - min(norms) > _CLIPPED * max(norms):
        return [1.0] * len(steps)
    times = [one.times for one in limited]
    if min(times) <= 0 or max(times) - min(times) <= _CLIPPED * max(times):
        return [1.0] * len(steps)  # one factor in all steps is a factor
    return [one.times if one.times < 1 - _CLIPPED else 1.0 for one in steps]


def before_clips_by_hand(split: SplitObservation, dtype: str) -> SplitObservation:
    """The split's gradients as they were before the program clipped them by itself, as those of torch's clips are."""
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
    """What the control's gradient has beside what its backward passes made, where it is the same in every step.

    While weights are held, a weight decay that a loop adds to the gradient by itself is. Of one step alone, nothing is
    known to be.

    Args:
        control: it ran.
        coordinates: of its gradients.
        dtype: that the model computes in.

    Returns:
        ``[coordinates]``; None where nothing is added, or another thing in some step, or where not all is seen of it.
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
