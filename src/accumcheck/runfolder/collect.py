"""From the files of a run to observations: the only place that knows both."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from accumcheck.record import (
    BatchedStep,
    BatchTerm,
    Coordinates,
    Divergence,
    LossProbe,
    MicroBatch,
    ModelRecord,
    ProgramRecord,
    Recomputation,
    ReferenceObservation,
    Split,
    SplitObservation,
    StackBelief,
    StepObservation,
    TrajectoryPoint,
)
from accumcheck.runfolder.job import ARGUMENTS, BATCHED, PROGRAM, RECOMPUTED, REFERENCE
from accumcheck.runfolder.membership import UNAPPLIED


def collect_run(
    folder: Path, splits: Iterable[str], events: list[dict[str, Any]]
) -> tuple[list[SplitObservation], ReferenceObservation | None]:
    """All of a run. Samples have the reference's numbers, also where splits know them by others.

    Without a reference the rows of programs are numbered here, so that two of one content are two samples all the same.
    """
    observations = collect_splits(folder, splits, events)
    reference = collect_reference(folder)
    path = folder / REFERENCE / "reference.json"
    if reference is not None:
        keys = json.loads(path.read_text(encoding="utf-8"))["keys"]
    else:
        keys = _keys_in(observations) if any(observation.program for observation in observations) else None
    if keys is None:
        return observations, reference
    known = {(number, before): place for place, (number, before) in enumerate(keys)}
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


def _keys_in(observations: Sequence[SplitObservation]) -> list[tuple[int, int]]:
    """Each row's number with how often it came before in its step, of all that any split was fed."""
    most: Counter[int] = Counter()
    for observation in observations:
        for step in observation.steps:
            most |= Counter(number for batch in step.micro_batches for number in batch.samples)
    return [(number, before) for number, times in most.items() for before in range(times)]


def _known_as(micro_batches: Sequence[MicroBatch], known: Mapping[tuple[int, int], int]) -> tuple[MicroBatch, ...]:
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


def collect_splits(folder: Path, splits: Iterable[str], events: list[dict[str, Any]]) -> list[SplitObservation]:
    """What every planned split gave; one that left no word of its end is an error."""
    ends = {event["job"]: event for event in events if event["event"] == "finished"}
    return [_collect_split(folder / name, Split.parse(name), ends.get(name)) for name in splits]


def _collect_split(folder: Path, split: Split, end: dict[str, Any] | None) -> SplitObservation:
    log = str(folder / "logs")
    if end is None:
        return SplitObservation(split, "error", "the run ended before this split did", log)
    seconds = end["seconds"]
    if end["status"] != "ran":
        return SplitObservation(split, end["status"], end["reason"], log, seconds)
    try:
        steps = _read_steps(folder, split)
    except (OSError, ValueError) as error:
        return SplitObservation(split, "error", f"its results cannot be read: {error}", log, seconds)
    return SplitObservation(
        split,
        "ran",
        "",
        log,
        seconds,
        steps,
        _read_trajectory(folder),
        _read_belief(folder),
        _read_rest(folder, split),
        _read_arguments(folder),
        _read_program(folder),
    )


def _read_rest(folder: Path, split: Split) -> tuple[MicroBatch, ...]:
    files = {process: folder / UNAPPLIED.format(rank=process) for process in range(split.num_processes)}
    return tuple(
        MicroBatch(process, tuple(fed))
        for process, file in files.items()
        if file.exists()
        for fed in json.loads(file.read_text(encoding="utf-8"))
    )


def _read_steps(folder: Path, split: Split) -> tuple[StepObservation, ...]:
    views = [
        json.loads((folder / f"process-{process}.json").read_text(encoding="utf-8"))
        for process in range(split.num_processes)
    ]
    return tuple(
        StepObservation(
            step=step + 1,
            loss=views[0][step]["loss"],
            logged_grad_norm=views[0][step]["logged_grad_norm"],
            grad_norms={process: view[step]["grad_norm"] for process, view in enumerate(views) if step < len(view)},
            micro_batches=tuple(
                MicroBatch(process, tuple(fed), **passage)
                for process, view in enumerate(views)
                if step < len(view)
                for fed, passage in zip(view[step]["micro_batches"], view[step]["passages"], strict=True)
            ),
            gradients={
                process: np.load(path)
                for process in range(split.num_processes)
                if (path := folder / f"process-{process}-step-{step}.npy").exists()
            },
        )
        for step in range(len(views[0]))
    )


def _read_belief(folder: Path) -> StackBelief | None:
    path = folder / "belief.json"
    return StackBelief(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _read_arguments(folder: Path) -> dict[str, Any]:
    path = folder / ARGUMENTS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _read_program(folder: Path) -> ProgramRecord | None:
    path = folder / PROGRAM
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    return ProgramRecord(tuple(record["split_set_by"]), record["sample"])


def _read_trajectory(folder: Path) -> tuple[TrajectoryPoint, ...]:
    path = folder / "trajectory.json"
    if not path.exists():
        return ()
    return tuple(TrajectoryPoint(*point) for point in json.loads(path.read_text(encoding="utf-8")))


def collect_reference(folder: Path) -> ReferenceObservation | None:
    """The reference, or None where its job did not run to its end."""
    folder = folder / REFERENCE
    path = folder / "reference.json"
    if not path.exists():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    place = record["coordinates"]
    return ReferenceObservation(
        losses=np.load(folder / "losses.npy"),
        tokens=np.load(folder / "tokens.npy"),
        labels=np.load(folder / "labels.npy"),
        gradients=np.load(folder / "gradients.npy"),
        grad_norms=tuple(record["grad_norms"]),
        membership=tuple(tuple(members) for members in record["membership"]),
        coordinates=Coordinates(tuple(place["names"]), tuple(place["sizes"]), tuple(place["starts"]), place["total"]),
        noise=Divergence(**record["noise"]),
        batch_effect=record["batch_effect"],
        model=ModelRecord(**record["model"]),
        batched=_read_batched(folder, record["batched"]),
        batch_term=BatchTerm(**record["batch_term"]) if record["batch_term"] else None,
        probe=LossProbe(**record["probe"]),
        recomputed=_read_recomputed(folder, record["recomputed"]),
    )


def _read_recomputed(folder: Path, passes: list[dict[str, Any]]) -> tuple[Recomputation, ...]:
    gradients = np.load(folder / RECOMPUTED) if passes else ()
    return tuple(
        Recomputation(one["order"], one["size"], Divergence(**one["apart"]), gradient)
        for one, gradient in zip(passes, gradients, strict=True)
    )


def _read_batched(folder: Path, steps: list[dict[str, Any]]) -> tuple[BatchedStep, ...]:
    arrays = {name: np.load(folder / file) for name, file in BATCHED.items() if (folder / file).exists()}
    return tuple(
        BatchedStep(
            **{**step, "micro_batches": tuple(map(tuple, step["micro_batches"]))},
            **{name: rows[position] for name, rows in arrays.items()},
        )
        for position, step in enumerate(steps)
    )
