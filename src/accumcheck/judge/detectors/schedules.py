"""Detect learning rates that depend on how the global batch is split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.pace import pace_of
from accumcheck.record import Finding, Split, SplitObservation
from accumcheck.record.observed import Schedule

CLOSEST = 1e-6
"""Learning rates are computed in double precision. A larger relative difference is not caused by rounding."""


@dataclass(frozen=True)
class _Off:
    """How one split's learning rates differ from the control's.

    ``names``: the possible names of the fault; ``step``: the first step that differs, from 1; None if no step that ran
    differs; ``rates``: its learning rate and the control's; ``why``: the observed cause; ``place``: its source line.
    """

    names: frozenset[str]
    step: int | None
    rates: tuple[float, float]
    why: str
    place: str | None


def differing_schedules(seen: Evidence) -> Iterator[Detected]:
    """Splits whose learning rates differ from the control's, or whose schedules will differ in later steps."""
    control = next((one for one in seen.good if one.split == seen.control), None)
    if control is None:
        return
    found = {one.split: off for one in seen.good if one is not control and (off := _difference(one, control))}
    right = [one.split for one in seen.good if one.split not in found]
    for name, splits in _named(found, right, control.split).items():
        worst = found[splits[0]]
        differs = any(found[split].step is not None or _moves(seen, split) for split in splits)
        yield Detected(
            Finding(
                id=name,
                severity="fail" if differs else "warn",
                splits=tuple(map(str, splits)),
                summary=_summary(worst, splits[0], control.split),
                explanation=f"{name}: {worst.why or 'the rate itself differs, for an unknown reason'}.",
                consequence=_CONSEQUENCES[name],
                advice=_ADVICE[name],
                source=worst.place,
            ),
            failed=frozenset(splits) if differs else frozenset(),
        )


def _moves(seen: Evidence, split: Split) -> bool:
    """Whether a learning rate of the split changed in the steps that ran. A constant one has no speed."""
    steps = next((one.steps for one in seen.good if one.split == split), ())
    return any(len(set(rates)) > 1 for rates in zip(*(step.learning_rates for step in steps), strict=False))


def _may_move(split: SplitObservation) -> bool:
    """Whether a schedule of the split has a number that determines when a learning rate changes."""
    return any(schedule.numbers for schedule in _schedules(split))


def _difference(split: SplitObservation, control: SplitObservation) -> _Off | None:
    """The difference from the control; None if the learning rates agree now and, as far as known, later."""
    step, rates = _first_difference(split, control)
    numbers = _other_numbers(split, control)
    speed, why, place = _speed(split, control, numbers)
    if step is None and (speed is None or math.isclose(speed, 1) or not _may_move(split)):
        return None
    names = _names(speed, split.split, control.split)
    if not names:
        warm = [one for one in numbers if "warm" in one.name]
        if warm and step is not None:
            names, why, place = {"warmup-differs"}, warm[0].text, warm[0].place
        else:
            runs_otherwise = numbers or (speed is not None and not math.isclose(speed, 1))
            names = {"schedule-differs" if runs_otherwise else "learning-rate-differs"}
            if not why and numbers:
                why, place = numbers[0].text, numbers[0].place
    return _Off(frozenset(names), step, rates, why, place)


def _first_difference(split: SplitObservation, control: SplitObservation) -> tuple[int | None, tuple[float, float]]:
    for mine, other in zip(split.steps, control.steps, strict=False):
        if len(mine.learning_rates) != len(other.learning_rates):
            continue  # different optimizers or groups; their parameters are compared elsewhere
        for rate, due in zip(mine.learning_rates, other.learning_rates, strict=True):
            if not math.isclose(rate, due, rel_tol=CLOSEST, abs_tol=0.0) and not (math.isnan(rate) and math.isnan(due)):
                return mine.step, (rate, due)
    return None, (math.nan, math.nan)


@dataclass(frozen=True)
class _Number:
    """A number of a schedule that differs from the control's."""

    name: str
    ratio: float
    text: str
    place: str


def _other_numbers(split: SplitObservation, control: SplitObservation) -> list[_Number]:
    mine, others = _schedules(split), _schedules(control)
    found = []
    for one, other in zip(mine, others, strict=False) if len(mine) == len(others) else ():
        for name in one.numbers.keys() & other.numbers.keys():
            value, due = one.numbers[name], other.numbers[name]
            if not math.isclose(value, due, rel_tol=CLOSEST):
                text = f"{one.kind} is made with {name} {value:g}, but with {due:g} under the control"
                found.append(_Number(name, value / due if due else math.inf, text, one.place))
    return sorted(found, key=lambda number: number.name)


def _schedules(split: SplitObservation) -> Sequence[Schedule]:
    return () if split.trained is None else split.trained.schedules


def _speed(
    split: SplitObservation, control: SplitObservation, numbers: Sequence[_Number]
) -> tuple[float | None, str, str | None]:
    """The speed of the schedule, as a multiple of the control's; None if it is not known.

    It runs twice as fast if it is stepped twice for each update, or if it was made half as long.
    """
    pace, due = pace_of(split), pace_of(control)
    if not pace or not due:
        return None, "", None
    faster = pace / due
    lengths = [number for number in numbers if "warm" not in number.name]
    made = next((number for number in lengths if number.ratio > 0), None)
    speed = faster / made.ratio if made is not None else faster
    schedules = _schedules(split)
    place = made.place if made is not None else schedules[0].place if schedules else None
    parts = [made.text] if made is not None else []
    if not math.isclose(faster, 1):
        stepped = f"the schedule is stepped {_times(pace)} for each optimizer step"
        parts.append(f"{stepped}, but {_times(due)} under the control")
    return speed, "; ".join(parts), place or None


def _times(count: float) -> str:
    return "once" if count == 1 else f"{count:g} times"


def _names(speed: float | None, split: Split, control: Split) -> set[str]:
    if speed is None:
        return set()
    ratios = {
        "schedule-times-n": split.num_processes / control.num_processes,
        "schedule-times-k": split.gradient_accumulation_steps / control.gradient_accumulation_steps,
    }
    return {
        name
        for name, ratio in ratios.items()
        if ratio != 1 and any(math.isclose(speed, factor, rel_tol=1e-3) for factor in (ratio, 1 / ratio))
    }


def _named(found: Mapping[Split, _Off], right: Sequence[Split], control: Split) -> dict[str, list[Split]]:
    """The splits by the name of their fault. Of two names that fit, the one that does not also fit right splits."""
    denied = {
        "schedule-times-n": any(one.num_processes != control.num_processes for one in right),
        "schedule-times-k": any(
            one.gradient_accumulation_steps != control.gradient_accumulation_steps for one in right
        ),
    }
    fits = [off.names for off in found.values()]
    everywhere = frozenset.intersection(*fits) if fits else frozenset()
    named: dict[str, list[Split]] = {}
    for split, off in found.items():
        order = sorted(off.names, key=lambda name: (denied.get(name, False), name not in everywhere, name))
        named.setdefault(order[0], []).append(split)
    return named


def _summary(off: _Off, split: Split, control: Split) -> str:
    if off.step is None:
        return f"the learning-rate schedule of {split} does not run at the speed of the control {control}"
    rate, due = off.rates
    return f"at step {off.step} the learning rate of {split} is {rate:.6g}, but {due:.6g} under the control {control}"


_SPEED = "The learning rate falls too early or too late: the same data are trained with different learning rates."
_CONSEQUENCES = {
    "schedule-times-n": _SPEED,
    "schedule-times-k": _SPEED,
    "warmup-differs": "The first updates are larger or smaller than under the control.",
    "schedule-differs": _SPEED,
    "learning-rate-differs": "Every update is larger or smaller than under the control, for the same global batch.",
}
_COUNT = "Step the schedule once for each optimizer step, and give it the number of optimizer steps"
_ADVICE = {
    "schedule-times-n": f"{_COUNT}. accelerate steps a schedule that it prepares once for each process: give it n "
    "times the steps, or do not prepare the schedule.",
    "schedule-times-k": f"{_COUNT}, which is the number of micro-batches divided by k.",
    "warmup-differs": "Count the warm-up in optimizer steps.",
    "schedule-differs": f"{_COUNT}.",
    "learning-rate-differs": "If you scale the learning rate, scale it by the global batch: all splits share it.",
}
