"""The gradient error of every parameter, for display. The verdict comes from `parameters`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accumcheck.judge.measure.compare import Truth
from accumcheck.judge.measure.errors import norms_by_parameter
from accumcheck.judge.measure.parameters import Allowance
from accumcheck.record import ParameterError, ReferenceObservation, SplitObservation

MOST = 50
"""The largest number of parameters reported per split: those nearest to their limits."""


def parameter_errors(
    split: SplitObservation, truths: Sequence[Truth], reference: ReferenceObservation, allowance: Allowance
) -> tuple[ParameterError, ...]:
    """Each parameter's error in the step where it is largest relative to its limit, the largest first.

    Args:
        split: a split that ran.
        truths: the right answer of each step; empty if there is none.
        reference: has the parameter of each gradient entry.
        allowance: the largest allowed error of each parameter.
    """
    places = reference.coordinates
    worst: dict[str, tuple[float, ParameterError]] = {}
    for step, truth in zip(split.steps, truths, strict=False):
        gradient, right = (values.astype(np.float64) for values in (step.gradients[0], truth.gradient))
        whole = float(np.linalg.norm(right))
        if not np.isfinite(gradient).all() or not np.isfinite(whole) or whole == 0:
            continue
        norms, errors = norms_by_parameter(right, places), norms_by_parameter(gradient - right, places)
        allowed = allowance.absolute(norms, whole)
        for at in np.flatnonzero(norms):
            name, norm = places.names[at], float(norms[at])
            times = float(errors[at] / allowed[at]) if allowed[at] else 0.0
            one = ParameterError(name, float(errors[at]) / norm, float(allowed[at]) / norm, norm / whole, step.step)
            if name not in worst or times > worst[name][0]:
                worst[name] = times, one
    ordered = sorted(worst.values(), key=lambda found: -found[0])
    return tuple(one for _, one in ordered[:MOST])
