"""From the files of a run to observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from accumcheck.record import MicroBatch, Reason, ReferenceObservation, Split, SplitObservation, Status
from accumcheck.runfolder.aligned import aligned
from accumcheck.runfolder.events import Event, Finished, Planned
from accumcheck.runfolder.fed_rows import read_fields
from accumcheck.runfolder.layout import has_logs, logs_of
from accumcheck.runfolder.of_reference import RowKey, read_keys, read_reference
from accumcheck.runfolder.of_split import (
    read_belief,
    read_program,
    read_trained,
    read_training_arguments,
    read_trajectory,
)
from accumcheck.runfolder.starts import read_unlike
from accumcheck.runfolder.steps import read_observed, read_unapplied, read_weights


def collect_run(
    run: Path, splits: Iterable[Split], events: Iterable[Event]
) -> tuple[list[SplitObservation], ReferenceObservation | None]:
    """All observations of a run. Samples get the reference's numbers, even if splits use other numbers.

    Without a reference, rows of programs are numbered here, so that two rows with equal content are still two samples.
    """
    events = list(events)
    observations = collect_splits(run, splits, events)
    reference = _reference(run)
    observations = aligned(observations, None if reference is None else reference.coordinates)
    keys: Sequence[RowKey] | None = None
    if reference is not None:
        keys = read_keys(run)
    elif any(observation.program for observation in observations):
        keys = _keys_in(observations)
    if keys is None:
        return observations, reference
    known = {key: place for place, key in enumerate(keys)}
    if reference is not None:
        due = [Counter(keys[place][0] for place in step) for step in reference.membership]
    else:
        due = _fed_to_control(observations, events)
    return [_renumbered(observation, known, due) for observation in observations], reference


def _fed_to_control(observations: Sequence[SplitObservation], events: Iterable[Event]) -> list[Counter[int]]:
    """How often each row was fed in each step of the control, or, if it did not run, of the first split that did."""
    control = next((event.control for event in events if isinstance(event, Planned)), None)
    ran = sorted((one for one in observations if one.status == "ran"), key=lambda one: one.split != control)
    steps = ran[0].steps if ran else ()
    return [Counter(number for batch in step.micro_batches for number in batch.samples) for step in steps]


def _renumbered(
    observation: SplitObservation, known: Mapping[RowKey, int], due: Sequence[Mapping[int, int]]
) -> SplitObservation:
    """A program's split with the reference's numbers.

    Args:
        observation: with numbers that depend on the rows' contents.
        known: the reference's, see `_known_as`.
        due: how often each row belongs to each step; empty if that is not known.
    """
    steps = tuple(
        replace(
            step,
            micro_batches=_known_as(step.micro_batches, known, due[position] if position < len(due) else None),
        )
        for position, step in enumerate(observation.steps)
    )
    rows = {place: row for (number, _), place in known.items() if (row := observation.rows.get(number)) is not None}
    return replace(observation, steps=steps, unapplied=_known_as(observation.unapplied, known, None), rows=rows)


def _reference(run: Path) -> ReferenceObservation | None:
    """The reference, or None if it cannot be read completely: nothing is judged by an incomplete one."""
    try:
        return read_reference(run)
    except (OSError, ValueError):
        return None


def _keys_in(observations: Sequence[SplitObservation]) -> list[RowKey]:
    """Each row's number with how often it came before in its step, over all splits."""
    most: Counter[int] = Counter()
    for observation in observations:
        for step in observation.steps:
            most |= Counter(number for batch in step.micro_batches for number in batch.samples)
    return [(number, before) for number, times in most.items() for before in range(times)]


def _known_as(
    micro_batches: Sequence[MicroBatch], known: Mapping[RowKey, int], due: Mapping[int, int] | None
) -> tuple[MicroBatch, ...]:
    """The micro-batches of one step with the reference's numbers, -1 for a row that the reference lacks.

    Rows with equal content are as many samples as belong to the step; further ones are repetitions. Equal items in the
    data are fine if the control is fed them as often. If the step's rows are not known, each row is a sample.
    """
    seen: Counter[int] = Counter()
    found = []
    for batch in micro_batches:
        places = []
        for number in batch.samples:
            before = seen[number] if due is None else seen[number] % max(due.get(number, 0), 1)
            places.append(known.get((number, before), -1))
            seen[number] += 1
        found.append(replace(batch, samples=tuple(places)))
    return tuple(found)


def collect_splits(run: Path, splits: Iterable[Split], events: Iterable[Event]) -> list[SplitObservation]:
    """The observation of every planned split; a split without a recorded end is an error."""
    ends = {event.job: event for event in events if isinstance(event, Finished)}
    return [_collect_split(run, split, ends.get(str(split))) for split in splits]


def _collect_split(run: Path, split: Split, end: Finished | None) -> SplitObservation:
    folder = logs_of(run, str(split))
    log = str(folder) if has_logs(folder) else ""
    if end is None:
        return _failed(split, "error", Reason("crashed", "the run ended before this split did"), log, 0.0)
    if end.reason is not None:
        return _failed(split, end.status, end.reason, log, end.seconds)
    folder, processes = run / str(split), split.num_processes
    try:
        return SplitObservation(
            split,
            "ran",
            log=log,
            duration_seconds=end.seconds,
            steps=read_observed(folder, processes),
            trajectory=read_trajectory(folder),
            belief=read_belief(folder),
            unapplied=tuple(batch for process in range(processes) for batch in read_unapplied(folder, process)),
            training_arguments=read_training_arguments(folder),
            program=read_program(folder),
            trained=read_trained(folder),
            rows={number: row for process in range(processes) for number, row in read_fields(folder, process).items()},
            weights=read_weights(folder),
            unlike=read_unlike(folder, processes),
        )
    except (OSError, ValueError) as error:
        return _failed(split, "error", Reason("crashed", f"its results cannot be read: {error}"), log, end.seconds)


def _failed(split: Split, status: Status, reason: Reason, log: str, seconds: float) -> SplitObservation:
    return SplitObservation(
        split, status, reason.text, log, seconds, reason_kind=reason.kind, traceback=reason.traceback
    )
