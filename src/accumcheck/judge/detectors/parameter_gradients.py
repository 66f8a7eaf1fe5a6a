"""Single parameters whose gradient is wrong while the others' are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.detectors.parameters import SHOWN
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.at_outputs import at_outputs
from accumcheck.judge.measure.errors import Vector, norms_by_parameter
from accumcheck.judge.measure.parameters import OffParameter
from accumcheck.judge.verdict import diverges
from accumcheck.record import Finding, Split, SplitObservation
from accumcheck.record.rule import UNEXPLAINED

_ELSE = 10.0
"""The rest of the gradient is right if its error is this many times smaller than that of the wrong parameters: a
wrong sample weight affects all parameters about equally."""


def wrong_parameters(seen: Evidence) -> Iterator[Detected]:
    """Splits that are wrong only in some parameters, whether or not the whole gradient shows it."""
    term = seen.reference.batch_term if seen.reference is not None else None
    # a term of the loss that is counted differently is off in the parameters it reaches: it has a separate finding
    by_term = term is not None and term.additive
    found = {
        split: off
        for split, off in seen.off.items()
        if split not in seen.condemned
        and (not _shows(seen, split) or (not by_term and _rest_is_right(seen, split, off)))
    }
    groups: dict[tuple[tuple[str, str], ...], list[Split]] = {}
    for split, off in found.items():
        groups.setdefault(tuple((one.name, _fate(one)) for one in off), []).append(split)
    for splits in groups.values():
        yield Detected(_finding(splits, found[splits[0]]), condemned=dict.fromkeys(splits, UNEXPLAINED))


def _shows(seen: Evidence, split: Split) -> bool:
    """Whether the whole gradient is beyond its tolerance: then a rule may explain it."""
    return any(
        diverges(found, seen.tolerances)[1]
        for step in seen.records.get(split, ())
        for found in (step.vs_control, step.vs_reference)
    )


def _rest_is_right(seen: Evidence, split: Split, off: Sequence[OffParameter]) -> bool:
    """Whether only these parameters are wrong, in every step, compared with what shows each of them.

    The control shows them only if the loss is the same at the model's outputs.
    """
    reference = seen.reference
    runs = {one.split: one for one in seen.good}
    if reference is None or split not in runs:
        return False
    places, names = reference.coordinates, {one.name for one in off}
    rest = np.array([name not in names for name in places.names])
    least = min(one.error for one in off)
    expected: list[Vector] = []
    same_loss = None
    if reference.not_judged and seen.control in runs:
        same_loss = _is_same_loss(runs[split], runs[seen.control], reference.model.dtype)
    if same_loss is False:
        return False  # a term of the loss may reach only some parameters: its weight is another finding
    if all(one.against == "reference" for one in off):
        expected = [truth.gradient for truth in seen.truths.get(split, ())]
    elif same_loss and all(one.against == "control" for one in off):
        expected = [step.gradients[0] for step in runs[seen.control].steps]
    for observed, due in zip(runs[split].steps, expected, strict=False):
        right = norms_by_parameter(due, places)
        errors = norms_by_parameter(observed.gradients[0].astype(np.float64) - due, places)
        whole = float(np.linalg.norm(right[rest]))
        if not whole > 0 or not float(np.linalg.norm(errors[rest])) * _ELSE <= least * whole:
            return False
    return bool(expected)


def _is_same_loss(split: SplitObservation, control: SplitObservation, dtype: str) -> bool | None:
    """Whether every row's loss has the control's derivative at the model's outputs; None if that was not seen."""
    seen = at_outputs(split, control, 0, dtype)
    if seen is None:
        return None
    if not (seen.rows.parallel & seen.rows.equal).all():
        return False
    times = seen.rows.times[np.isfinite(seen.rows.times)]
    return len(times) > 0 and seen.is_one([*times.tolist(), 1.0])


def _finding(splits: Sequence[Split], off: Sequence[OffParameter]) -> Finding:
    shown = "; ".join(f"{one.name} {_fate(one)}" for one in off[:SHOWN])
    fates = {_fate(one) for one in off}
    if len(fates) == 1 and len(off) > 1:
        shown = f"{', '.join(one.name for one in off[:SHOWN])} {_fate(off[0])}"
    rest = f", and {len(off) - SHOWN} more" if len(off) > SHOWN else ""
    share = float(np.sqrt(sum(one.share**2 for one in off)))
    worst = off[0]
    many = f"{len(off)} parameters have" if len(off) > 1 else "one parameter has"
    return Finding(
        id="wrong-parameters",
        severity="fail",
        splits=tuple(map(str, splits)),
        gradient_rule=str(UNEXPLAINED),
        summary=f"{many} a wrong gradient while the others are right: {shown}{rest}",
        explanation=(
            f"{worst.name} is off by {worst.error:.2g} of its own norm in step {worst.step}; rounding explains only "
            f"{worst.allowed:.1e}. Together they are {share:.2g} of the {worst.against}'s gradient norm."
        ),
        consequence="These parameters are trained differently under this split than under the others.",
        advice="Look for what treats parameters by name or by kind: hooks, parameter groups, freezing, offloading.",
    )


def _fate(one: OffParameter) -> str:
    """What became of a parameter's gradient."""
    if one.is_zero:
        return "is zero"
    if np.isinf(one.error):
        return "has a gradient but should have none"
    if one.left <= max(one.allowed, 0.02):
        return f"is {one.times:.3g} times the right one"
    return "has the wrong direction"
