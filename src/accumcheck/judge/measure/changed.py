"""A gradient that the program itself changes before every step, such as by centring it or clipping it layer by layer.

The sum of the backward passes is what the loss gives; what is applied is something else. If that is one factor for each
parameter in every step (half of the gradient, a lost layer), or remains of earlier steps, it is a fault. Anything else
is the program's own way of using its gradient, and right if every split does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from accumcheck.judge.measure.backward import SAME, Backward, backward_of, entries_of
from accumcheck.judge.measure.by_control import COMBINATION, as_control
from accumcheck.judge.measure.compare import truth_of
from accumcheck.judge.measure.errors import gradient_error
from accumcheck.record import Coordinates, ReferenceObservation, SplitObservation

WHY = "the program changes its gradient between the last backward pass and the optimizer's step"

_ONE_FACTOR = 1e-3
"""Relative tolerance between a parameter's factors in different steps."""
_AGREES = 10.0
"""How many times as far as rounding two splits' changed gradients may differ: the change may amplify it."""
_SMALL = 1e-6
"""A parameter with a smaller share of the gradient's norm may be rounding, and shows nothing."""


def with_changed(
    reference: ReferenceObservation, control: SplitObservation | None, splits: Sequence[SplitObservation]
) -> tuple[ReferenceObservation, float]:
    """The reference with the control's applied gradients as right values, if the program changes them by itself.

    Args:
        reference: of a program.
        control: None if it did not run.
        splits: all that ran.

    Returns:
        The reference, and how far the control's first gradient is from the sum of its backward passes, relative to it:
        0 if the reference is unchanged.
    """
    seen = backward_of(control) if control is not None and not reference.batched else None
    dtype = reference.model.dtype
    if control is None or seen is None or not reference.coordinates.complete:
        return reference, 0.0
    entries = entries_of(control)
    if len(entries) != sum(reference.coordinates.sizes) or not _is_of_its_own(seen, reference.coordinates, SAME[dtype]):
        return reference, 0.0
    if any(_is_off(reference, step, one, COMBINATION[dtype]) for step, one in enumerate(seen)):
        return reference, 0.0  # the control's backward passes are wrong already
    others = [one for one in splits if one is not control]
    accumulates = control.split.num_processes * control.split.gradient_accumulation_steps > 1
    if others and accumulates and not any(_agree(one, control, _AGREES * SAME[dtype]) for one in others):
        return reference, 0.0  # otherwise nothing is added up in the control that the change could disturb
    first = seen[0]
    off = float(np.linalg.norm(first.applied - first.made)) / max(float(np.linalg.norm(first.made)), 1e-300)
    return replace(as_control(reference, control), not_judged=reference.not_judged or WHY), off


def _is_of_its_own(steps: Sequence[Backward], places: Coordinates, same: float) -> bool:
    """Whether gradients are changed, but not by one factor for each parameter in all steps.

    If the first one is not changed, only limits can be of the program's own: a later gradient may hold remains.
    """
    one_factor, changed, limited = True, False, True
    for start, size in zip(places.starts, places.sizes, strict=True):
        factors = []
        for position, step in enumerate(steps):
            made, applied = step.made[start : start + size], step.applied[start : start + size]
            if float(np.linalg.norm(made)) <= _SMALL * float(np.linalg.norm(step.made)):
                continue
            factor = float(made @ applied) / float(made @ made)
            left = float(np.linalg.norm(applied - factor * made)) / float(np.linalg.norm(made))
            changed |= position == 0 and (abs(factor - 1) > same or left > same)
            limited &= left <= same and factor <= 1 + same
            one_factor &= left <= same * max(abs(factor), 1.0)
            factors.append(factor)
        if factors and max(factors) - min(factors) > _ONE_FACTOR * max(map(abs, factors)):
            one_factor = False
    return (changed or limited) and not one_factor


def _is_off(reference: ReferenceObservation, step: int, seen: Backward, allowed: float) -> bool:
    right = truth_of(reference, step).gradient
    return not float(np.linalg.norm(seen.made - right)) <= allowed * float(np.linalg.norm(right))


def _agree(split: SplitObservation, control: SplitObservation, allowed: float) -> bool:
    pairs = list(zip(split.steps, control.steps, strict=False))
    return bool(pairs) and all(gradient_error(one.gradients[0], due.gradients[0]) <= allowed for one, due in pairs)
