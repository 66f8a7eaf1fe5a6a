"""Detect a schedule that does not follow the training arguments, independent of the split."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.pace import pace_of, stands_still
from accumcheck.record import Finding, Split, SplitObservation
from accumcheck.record.observed import Schedule

LENGTH = "num_training_steps"
"""The argument of transformers' schedules for the optimizer steps of the whole training."""


def wrong_schedule(seen: Evidence) -> Iterator[Detected]:
    """Splits whose schedule is not stepped once per update, or is made for another number of steps than are made.

    Only for stacks that get training arguments. Differences from the control are found by another detector.
    """
    if seen.check.runs_program:  # it may step its schedules as it likes; its splits are only compared with each other
        return
    found: dict[str, dict[Split, str]] = {}
    for split in seen.good:
        schedules = _that_move(split)
        if not schedules or split.split in seen.failed or not any(step.learning_rates for step in split.steps):
            continue
        if (off := _off(seen, split, schedules[0])) is not None:
            name, words = off
            found.setdefault(name, {})[split.split] = words
    for name, splits in found.items():
        place = next((_that_move(one)[0].place for one in seen.good if one.split in splits), "")
        yield Detected(
            Finding(
                id=name,
                severity="fail",
                splits=tuple(map(str, splits)),
                summary=f"the learning-rate schedule of {next(iter(splits))} {next(iter(splits.values()))}",
                explanation="It was compared with the training arguments, not with the control.",
                consequence="The learning rate falls too early or too late.",
                advice="Step the schedule once for each optimizer step, and give it the number of optimizer steps.",
                source=place or None,
            ),
            failed=frozenset(splits),
        )


def _that_move(split: SplitObservation) -> list[Schedule]:
    made = () if split.trained is None else split.trained.schedules
    return [one for one in made if one.numbers]


def _off(seen: Evidence, split: SplitObservation, schedule: Schedule) -> tuple[str, str] | None:
    """The name of the fault of a split's schedule, and the observation."""
    pace = 0.0 if stands_still(split) else pace_of(split)
    if pace is not None and pace != 1:
        factors = {
            "schedule-times-k": split.split.gradient_accumulation_steps,
            "schedule-times-n": split.split.num_processes,
        }
        name = next((name for name, factor in factors.items() if pace == factor), "schedule-differs")
        return name, f"is stepped {pace:g} times for each optimizer step instead of once"
    length, due = schedule.numbers.get(LENGTH), seen.check.steps
    if seen.check.data.epochs is None and length is not None and length != due:
        return "schedule-differs", f"is made with {LENGTH} {length:g}, but max_steps is {due}"
    return None
