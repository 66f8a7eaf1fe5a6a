"""Detect updates that differ from the control's although the gradients agree: by clipping, decay or the optimizer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.each import each
from accumcheck.judge.measure.updates import (
    FLOAT16,
    ITS_OWN,
    allowed_change,
    change_difference,
    clear_entries,
    clear_to,
    shrinking,
)
from accumcheck.judge.verdict import diverges
from accumcheck.record import Finding, Split, SplitObservation, StepObservation, StepRecord, Tolerances

CLOSEST = 1e-6
"""Settings are computed in double precision. A larger relative difference is not caused by rounding."""
WHOLE = 0.05
"""The largest difference of a number of decays from a whole number."""


@dataclass(frozen=True)
class _Off:
    """A difference of a split's update from the control's: its name, step and both values; ``why``: the explanation."""

    name: str
    step: int
    mine: str
    due: str
    why: str = ""


def differing_updates(seen: Evidence) -> Iterator[Detected]:
    """Splits whose gradient agrees with the control's, but whose step does not. The first cause of each is reported."""
    control = next((one for one in seen.good if one.split == seen.control), None)
    if control is None:
        return
    found: dict[str, list[tuple[Split, _Off]]] = {}
    out = seen.failed.union(seen.condemned)
    compared = [split for split in seen.good if split is not control and split.split not in out]
    for split, off in zip(compared, each(lambda one: _first(seen, one, control), compared), strict=True):
        if off is not None:
            found.setdefault(off.name, []).append((split.split, off))
    for name, splits in found.items():
        _, off = splits[0]
        yield Detected(
            Finding(
                id=name,
                severity="fail",
                splits=tuple(str(split) for split, _ in splits),
                summary=f"{_WHAT[name]} of {splits[0][0]} is {off.mine} at step {off.step}, but that of the control "
                f"{control.split} is {off.due}, though their gradients agree",
                explanation=off.why,
                consequence=_CONSEQUENCES[name],
                advice=_ADVICE[name],
            ),
            failed=frozenset(split for split, _ in splits),
        )


def spoilt_weights(seen: Evidence) -> Iterator[Detected]:
    """A warning if the optimizer turns finite gradients into inf or nan."""
    found: dict[Split, int] = {}
    for split in seen.good:
        for step in split.steps:
            finite = math.isfinite(step.grad_norms.get(0, math.nan))
            if finite and step.change_norm is not None and not math.isfinite(step.change_norm):
                found.setdefault(split.split, step.step)
    if not found:
        return
    first, at = next(iter(found.items()))
    half = any(one.weights is not None and bool((one.weights.unit == FLOAT16).any()) for one in seen.good)
    yield Detected(
        Finding(
            id="update-not-finite",
            severity="warn",
            splits=tuple(map(str, found)),
            summary=f"the optimizer turns a finite gradient into weights that are inf or nan, at step {at} "
            f"of {first}{': the weights are float16' if half else ''}",
            explanation=(_DIVIDES_BY_NOTHING if half else _TOO_FAR)
            + " Gradients are still compared. Changes of the weights are not compared if the control's are not finite.",
            consequence="A real training with these settings continues with these weights under every split.",
            advice=_KEEP_WIDE if half else _STEP_LESS,
        )
    )


_DIVIDES_BY_NOTHING = (
    "Adam divides by the root of the squared gradient plus epsilon. In float16 the square of a small gradient is 0, "
    "and an epsilon of 1e-8 is 0 as well, so it divides by 0."
)
_TOO_FAR = "The learning rate is too large for these weights, or the optimizer divides by 0."
_KEEP_WIDE = (
    "Train in mixed precision instead of pure float16: model.dtype float32 with bf16: true (or fp16: true on a GPU) in "
    "training_arguments; or set model.dtype to bfloat16, or use an optimizer that computes in float32 (optim: "
    "adamw_torch_fused). With update: off only gradients are compared, and no optimizer is run."
)
_STEP_LESS = "Lower the learning rate, or raise the optimizer's epsilon."


def _first(seen: Evidence, split: SplitObservation, control: SplitObservation) -> _Off | None:
    records = seen.records.get(split.split, ())
    for mine, due, record in zip(split.steps, control.steps, records, strict=False):
        if not _agrees(record, seen.tolerances):
            return None
        if (off := _settings(mine, due, seen)) is not None:
            return off
        error = change_difference(mine, due, clear_to(seen.tolerances), control.weights)
        if error is not None and not error <= allowed_change(seen.tolerances):
            return _by_decay(seen, split, control, mine, due) or _Off(
                "weight-change-differs", mine.step, _norm(mine), f"{_norm(due)} (off by {error:.2g} of it)"
            )
    return None


def _agrees(record: StepRecord, tolerances: Tolerances) -> bool:
    """Whether the gradient agrees with the control's. False if it was not compared."""
    return record.vs_control.gradient is not None and not diverges(record.vs_control, tolerances)[1]


def _settings(mine: StepObservation, due: StepObservation, seen: Evidence) -> _Off | None:
    clip, right = mine.clip_coefficient, due.clip_coefficient
    dtype = seen.reference.model.dtype if seen.reference is not None else ""
    if not math.isclose(clip, right, rel_tol=max(seen.tolerances.grad_norm, CLOSEST, 2 * ITS_OWN.get(dtype, 0.0))):
        return _Off("clipping-differs", mine.step, f"{clip:.4g}", f"{right:.4g}")
    if len(mine.weight_decays) == len(due.weight_decays):
        for decay, other in zip(mine.weight_decays, due.weight_decays, strict=True):
            if not math.isclose(decay, other, rel_tol=CLOSEST):
                return _Off("weight-decay-differs", mine.step, f"{decay:g}", f"{other:g}")
    return None


def _by_decay(
    seen: Evidence, split: SplitObservation, control: SplitObservation, mine: StepObservation, due: StepObservation
) -> _Off | None:
    """A difference of the changes that is caused only by a different decay of the weights; None if it is not."""
    weights, trained = control.weights, control.trained
    chosen = clear_entries(mine, due, clear_to(seen.tolerances))
    coordinates = seen.reference.coordinates if seen.reference is not None else trained and trained.coordinates
    if weights is None or not coordinates or chosen is None or mine.change is None or due.change is None:
        return None
    difference = np.where(chosen, mine.change.astype(np.float64) - due.change, 0.0)
    more = shrinking(difference, weights, coordinates)
    if more is None:
        return None
    k = split.split.gradient_accumulation_steps
    own = max((rate * decay for rate, decay in zip(due.learning_rates, due.weight_decays, strict=False)), default=0.0)
    times = 1 + more / own if own > 0 else math.nan
    words = f"the weights shrink by a fraction of {more:.3g} more than under the control"
    if math.isclose(times, k, abs_tol=WHOLE * k):
        return _Off("weight-decay-per-microbatch", mine.step, f"{times:.3g} times the optimizer's", "once", words)
    shown = f"{more + own:.4g} of each weight"
    return _Off("weight-decay-differs", mine.step, shown, f"{own:.4g}", words)


def _norm(step: StepObservation) -> str:
    return "not seen" if step.change_norm is None else f"{step.change_norm:.4g}"


_WHAT: Mapping[str, str] = {
    "clipping-differs": "the clipping coefficient",
    "weight-decay-differs": "the weight decay",
    "weight-decay-per-microbatch": "the weight decay",
    "weight-change-differs": "the norm of the weight change",
}
_DECAY = "Weights decay faster or slower than under the control."
_CONSEQUENCES: Mapping[str, str] = {
    "clipping-differs": "If a gradient is clipped, the update is smaller or larger than under the control.",
    "weight-decay-differs": _DECAY,
    "weight-decay-per-microbatch": "Weights decay k times as fast as without accumulation.",
    "weight-change-differs": "The same gradient changes the model differently: the optimizer, its settings or its "
    "state depends on the split.",
}
_ADVICE: Mapping[str, str] = {
    "clipping-differs": "Clip at the same norm under every split.",
    "weight-decay-differs": "Give the optimizer the same decay under every split.",
    "weight-decay-per-microbatch": "Decay the weights once for each optimizer step, not after each micro-batch.",
    "weight-change-differs": "Make the optimizer with the same settings under every split, and let it step once for "
    "each global batch.",
}
