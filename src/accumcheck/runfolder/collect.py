"""From the files of a run to observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from accumcheck.record import MicroBatch, Reason, ReferenceObservation, Split, SplitObservation, Status
from accumcheck.runfolder.aligned import aligned
from accumcheck.runfolder.events import Event, Finished
from accumcheck.runfolder.layout import logs_of
from accumcheck.runfolder.of_reference import RowKey, read_keys, read_reference
from accumcheck.runfolder.of_split import (
    read_belief,
    read_program,
    read_trained,
    read_training_arguments,
    read_trajectory,
)
from accumcheck.runfolder.steps import read_observed, read_unapplied


def collect_run(
    run: Path, splits: Iterable[Split], events: Iterable[Event]
) -> tuple[list[SplitObservation], ReferenceObservation | None]:
    """All of a run. Samples have the reference's numbers, also where splits know them by others.

    Without a reference the rows of programs are numbered here, so that two of one content are two samples all the same.
    """
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
    return [
        replace(
            observation,
            steps=tuple(
                replace(step, micro_batches=_known_as(step.micro_batches, known)) for step in observation.steps
            ),
            unapplied=_known_as(observation.unapplied, known),
        )
        for observation in observations
    ], reference


def _reference(run: Path) -> ReferenceObservation | None:
    """The reference, None where there is none that can be read: nothing is judged by half of one."""
    try:
        return read_reference(run)
    except (OSError, ValueError):
        return None


def _keys_in(observations: Sequence[SplitObservation]) -> list[RowKey]:
    """Each row's number with how often it came before in its step, of all that any split was fed."""
    most: Counter[int] = Counter()
    for observation in observations:
        for step in observation.steps:
            most |= Counter(number for batch in step.micro_batches for number in batch.samples)
    return [(number, before) for number, times in most.items() for before in range(times)]


def _known_as(micro_batches: Sequence[MicroBatch], known: Mapping[RowKey, int]) -> tuple[MicroBatch, ...]:
    """The micro-batches of one step with the reference's numbers, -1 for a row that it does not have.

    A row that comes twice is taken for two samples that are alike, unless every process was fed the very same rows:
    then nothing dealt them out, and the repetitions are what they are.
    """
    of_process: dict[int, Counter[int]] = {}
    for batch in micro_batches:
        of_process.setdefault(batch.process, Counter()).update(batch.samples)
    each = list(of_process.values())
    undealt = len(each) > 1 and all(rows == each[0] for rows in each)
    seen: Counter[int] = Counter()
    process = micro_batches[0].process if micro_batches else 0
    found = []
    for batch in micro_batches:
        if undealt and batch.process != process:
            process, seen = batch.process, Counter()
        places = []
        for number in batch.samples:
            places.append(known.get((number, seen[number]), -1))
            seen[number] += 1
        found.append(replace(batch, samples=tuple(places)))
    return tuple(found)


def collect_splits(run: Path, splits: Iterable[Split], events: Iterable[Event]) -> list[SplitObservation]:
    """What every planned split gave; one that left no word of its end is an error."""
    ends = {event.job: event for event in events if isinstance(event, Finished)}
    return [_collect_split(run, split, ends.get(str(split))) for split in splits]


def _collect_split(run: Path, split: Split, end: Finished | None) -> SplitObservation:
    folder = logs_of(run, str(split))
    log = str(folder) if folder.is_dir() else ""
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
        )
    except (OSError, ValueError) as error:
        return _failed(split, "error", Reason("crashed", f"its results cannot be read: {error}"), log, end.seconds)


def _failed(split: Split, status: Status, reason: Reason, log: str, seconds: float) -> SplitObservation:
    return SplitObservation(split, status, reason.text, log, seconds, reason_kind=reason.kind)
