"""Weights that are equal within each micro-batch: each micro-batch is divided by its own number."""

from __future__ import annotations

import numpy as np

from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.at_outputs import at_outputs
from accumcheck.record import Split


def of_micro_batches(seen: Evidence, split: Split) -> tuple[float, ...] | None:
    """The factor between each micro-batch's weights and the right ones, over all steps; None if rows of one differ.

    None as well if all micro-batches are equal, or if each has one row. If weights are not known, those of the first
    step, as seen at the outputs of a program's model.
    """
    found = _by_weights(seen, split)
    return _at_outputs(seen, split) if found is None else found


def _at_outputs(seen: Evidence, split: Split) -> tuple[float, ...] | None:
    """From the derivatives of the loss, relative to the control's: the same rows, with the same outputs."""
    reference = seen.reference
    observed, control = (next((one for one in seen.good if one.split == of), None) for of in (split, seen.control))
    if reference is None or not reference.not_judged or observed is None or control is None or observed is control:
        return None
    if split.per_device_train_batch_size == 1:
        return None
    found = at_outputs(observed, control, 0, reference.model.dtype)
    if found is None or not (found.rows.parallel & found.rows.equal).all() or not found.is_one_weight:
        return None
    each = [found.by_micro_batch(at) for at in range(len(found.names))]
    if any(one is None for one in each):
        return None
    longest = max((one for one in each if one is not None), key=len)
    return None if found.is_one(longest) else longest


def _by_weights(seen: Evidence, split: Split) -> tuple[float, ...] | None:
    observed = next((one for one in seen.good if one.split == split), None)
    if observed is None or split.per_device_train_batch_size == 1:
        return None
    tolerance = max(seen.tolerances.weights or 0.0, 1e-3)
    found: list[float] = []
    for step, recovery in zip(observed.steps, seen.recovered, strict=False):
        recovered = recovery.of.get(split)
        if recovered is None or recovered.residual > seen.tolerances.gradient:
            return None
        ratios = {
            member: weight / ideal
            for member, weight, ideal in zip(recovered.members, recovered.weights, recovered.ideal, strict=True)
            if ideal > 0
        }
        for batch in step.micro_batches:
            of_rows = np.array([ratios[row] for row in batch.samples if row in ratios])
            if not len(of_rows) or np.ptp(of_rows) > tolerance * max(float(np.abs(of_rows).max()), 1e-12):
                return None
            found.append(float(of_rows.mean()))
    return tuple(found) if found and np.ptp(found) > tolerance * max(map(abs, found)) else None
