"""What a program that was run one row after the other says about its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from accumcheck.record import Coordinates, Split
from accumcheck.record.fed import FedRow
from accumcheck.record.reference import Unmixed
from accumcheck.reference.losses import Testimony
from accumcheck.rows.changes import HARMLESS
from accumcheck.rows.pairing import paired
from accumcheck.runfolder.aligned import at_coordinates
from accumcheck.runfolder.fed_rows import read_fields
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.layout import split_folders
from accumcheck.runfolder.of_reference import RowKey
from accumcheck.stacks.programs.witness import Witness


def witnessed_otherwise(job: Job, witness: Witness) -> list[dict[int, int]]:
    """For each step, from the numbers of the witness's rows to the control's rows that differ only by padding.

    A single row is not padded to the longest of a micro-batch; if no mask marks the padding, it has another number.
    """
    contents = {**contents_of(job), **witness.fields}
    return [
        padded_otherwise([number for batch in step.micro_batches for number in batch.samples], due, contents)
        for due, step in zip(job.membership, witness.steps, strict=False)
    ]


def contents_of(job: Job) -> dict[int, FedRow]:
    """What distinguishes the rows that the splits were fed, by number."""
    contents: dict[int, FedRow] = {}
    for folder in split_folders(job.run):
        for process in range(Split.parse(folder.name).num_processes):
            contents.update(read_fields(folder, process))
    return contents


def padded_otherwise(fed: Sequence[int], due: Sequence[int], contents: Mapping[int, FedRow]) -> dict[int, int]:
    """From the numbers of rows that were fed to those of due rows that differ from them only by padding."""
    own = list(dict.fromkeys(fed))
    strange = [number for number in own if number not in due]
    missing = [number for number in dict.fromkeys(due) if number not in own]
    pairs = paired(strange, missing, contents, due)
    return {other: mine for other, (mine, change) in pairs.items() if change.kind in HARMLESS}


def told_by_witness(
    witness: Witness,
    alike: Sequence[Mapping[int, int]],
    place: Mapping[RowKey, int],
    samples: int,
    common: Coordinates,
    unmixed: Callable[[], Unmixed | None],
) -> Testimony | None:
    """What the witness saw of each sample; None if it saw none.

    ``alike``: see `witnessed_otherwise`; ``common``: the coordinates of the reference; ``unmixed``: see `Testimony`.
    """
    width = sum(common.sizes)
    directions = np.zeros((samples, width), dtype=np.float32)
    known = np.zeros(samples, dtype=bool)
    for position, (step, added) in enumerate(zip(witness.steps, witness.contributions, strict=True)):
        named = alike[position] if position < len(alike) else {}
        (keys,) = keys_of([[named.get(number, number) for batch in step.micro_batches for number in batch.samples]])
        if added is None or len(keys) != len(added):
            continue
        for key, row in zip(keys, added, strict=True):
            if key in place:
                directions[place[key]], known[place[key]] = at_coordinates(row, witness.coordinates, common), True
    if not known.any() and not witness.trains_again:
        return None
    return Testimony(directions, known, witness.trains_again, unmixed)


def keys_of(steps: Sequence[Sequence[int]]) -> list[list[RowKey]]:
    """Each row's number with how often it came before in its step: two rows with equal content are two samples."""
    found = []
    for step in steps:
        seen: Counter[int] = Counter()
        keys = []
        for number in step:
            keys.append((number, seen[number]))
            seen[number] += 1
        found.append(keys)
    return found
