"""A gradient that the program itself scales while it is being accumulated, by other numbers each time.

Each micro-batch's contribution is seen before it is accumulated. If the applied gradient is a sum of these with other
weights, the loss is right and something between the backward passes is not. One ratio for all is a weighting rule; so
is a micro-batch that counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.backward import SAME, Backward, backward_of, entries_of
from accumcheck.judge.verdict import diverges
from accumcheck.record import Finding, Split, SplitObservation, StepObservation
from accumcheck.record.rule import UNEXPLAINED

_NOTHING = 1e-5
"""Below this factor a micro-batch counts as nothing."""
_ONE_RATIO = 1e-2
"""Relative tolerance between the ratios of a window for them to be one and the same."""
_ONE_NORM = 1e-3
"""Relative tolerance between the norms of gradients that were clipped to one."""
_KNOWN = 1e4
"""Factors are not known if contributions are so nearly alike that their condition number is larger."""

Factors = npt.NDArray[np.float64]


def scaled_in_window(seen: Evidence) -> Iterator[Detected]:
    """Splits whose micro-batches enter the update with factors that grow within the window, by no single ratio."""
    found: dict[Split, Factors] = {}
    to_one_norm = True
    by_parameter: set[Split] = set()
    dtype = seen.reference.model.dtype if seen.reference is not None else ""
    for one in seen.good:
        if dtype not in SAME or one.split in seen.condemned or not _is_off(seen, one.split):
            continue
        made = backward_of(one)
        factors = _factors(one, made, SAME[dtype]) if made is not None else None
        if made is not None and factors is None:
            factors = _factors_by_parameter(one, made, SAME[dtype])
            by_parameter.add(one.split)
        if made is not None and factors is not None:
            found[one.split] = factors
            norms = [step.norm for step in made]
            to_one_norm &= len(norms) > 1 and max(norms) - min(norms) <= _ONE_NORM * max(norms)
    if not found:
        return
    split, factors = next(iter(found.items()))
    each, of_each = (", parameter by parameter,", "parameter in one ") if split in by_parameter else ("", "")
    shown = ", ".join(f"{factor:.2g}" for factor in factors[:4]) + (" ..." if len(factors) > 4 else "")
    clipped = (
        " The gradients that are applied have the same norm in every step, so the program clips by itself."
        if to_one_norm
        else ""
    )
    yield Detected(
        Finding(
            id="scaled-in-window",
            severity="fail",
            splits=tuple(map(str, found)),
            gradient_rule=str(UNEXPLAINED),
            summary=f"the gradient is scaled{each} while it is still being accumulated, as by clipping after every "
            f"micro-batch: micro-batches count {shown} times in one {of_each}step of {split}",
            explanation="The backward passes add what the loss gives, but what has been accumulated changes before "
            f"the next one.{clipped}",
            consequence="The update depends on the split: the first micro-batches of a step count less than the last.",
            advice="Clip or scale once per step, after the last micro-batch.",
        ),
        condemned=dict.fromkeys(found, UNEXPLAINED),
    )


def _is_off(seen: Evidence, split: Split) -> bool:
    return any(diverges(record.vs_control, seen.tolerances)[1] for record in seen.records.get(split, ()))


def _factors(split: SplitObservation, made: Sequence[Backward], same: float) -> Factors | None:
    """The factors of the micro-batches of the first step that was scaled, for the first process, in order."""
    if split.split.gradient_accumulation_steps == 1 or any(step.clipped_within is not None for step in split.steps):
        return None
    first: Factors | None = None
    ratios: list[float] = []
    for step, one in zip(split.steps, made, strict=True):
        if one.left <= same:
            continue  # nothing, or all alike, was scaled in this step
        factors = _of_step(step, one, same)
        if factors is None:
            return None
        for own in factors:
            if own.min() <= _NOTHING * own.max() or not (np.diff(own) > 0).all():
                return None
            ratios += [after / before for before, after in pairwise(own.tolist())]
        first = factors[0] if first is None else first
    return first if first is not None and max(ratios) - min(ratios) > _ONE_RATIO * max(ratios) else None


def _factors_by_parameter(split: SplitObservation, made: Sequence[Backward], same: float) -> Factors | None:
    """The same for the first parameter that is scaled, if each is scaled by itself and none of their factors shrink."""
    if split.trained is None or split.split.gradient_accumulation_steps == 1:
        return None
    places = split.trained.coordinates
    owner = np.repeat(np.arange(len(places.names)), places.sizes)[entries_of(split)]
    first: Factors | None = None
    for step, one in zip(split.steps, made, strict=True):
        if one.left <= same:
            continue
        if _of_step(step, one, same) is not None:
            return None  # the same factors for all parameters
        for at in range(len(places.names)):
            part = np.flatnonzero(owner == at)
            if len(part) < 2 * sum(map(len, step.contributions.values())) or not one.applied[part].any():
                continue  # too small to be solved
            factors = _of_step(step, one, same, part)
            for own in factors if factors is not None else [np.zeros(1)]:
                if own.min() <= _NOTHING * own.max() or (np.diff(own) < -_ONE_NORM * own.max()).any():
                    return None
                if first is None and own[-1] > own[0] * (1 + _ONE_RATIO):
                    first = own
    return first


def _of_step(
    step: StepObservation, made: Backward, same: float, part: npt.NDArray[np.int64] | None = None
) -> list[Factors] | None:
    """The factor of each micro-batch, one array for each process; None if these do not explain what is applied.

    ``part``: which of the entries; None for all.
    """
    if len({len(each) for each in step.contributions.values()}) != 1:
        return None
    each = np.concatenate([step.contributions[process] for process in sorted(step.contributions)]).astype(np.float64)
    whole = each.sum(axis=0)
    share = float(np.linalg.norm(made.made)) / max(float(np.linalg.norm(whole)), 1e-300)  # averaged, or summed
    applied = made.applied if part is None else made.applied[part]
    each = each if part is None else each[:, part]
    if each.shape[1] < 2 * len(each) or not np.isfinite(each).all():
        return None
    factors, *_, singular = np.linalg.lstsq((each * share).T, applied, rcond=None)
    left = float(np.linalg.norm(applied - factors @ (each * share)))
    if singular.min() * _KNOWN < singular.max() or left > same * float(np.linalg.norm(applied)):
        return None
    processes = len(step.contributions)
    return list(factors.reshape(processes, -1))
