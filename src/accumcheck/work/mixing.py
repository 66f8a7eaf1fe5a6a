"""Does a program mix the rows of a micro-batch? Seen at its model's outputs, of the same rows with other neighbours.

The witness has each row alone. If the loss does something else to it there than in the control, that may be because of
its neighbours, or because the program has other targets under another split. Then the program is run once more, with
the control's accumulation steps and micro-batches of half the size: the neighbours are others, the split's k is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from accumcheck.config.model import CheckConfig
from accumcheck.config.splits import control_of
from accumcheck.record import Split
from accumcheck.record.outputs import OutputRows
from accumcheck.record.reference import Unmixed
from accumcheck.reference.together import SAME, combination
from accumcheck.rows.at_outputs import chosen, joined, unmixed
from accumcheck.runfolder.fed_rows import read_fields
from accumcheck.runfolder.job import Job
from accumcheck.runfolder.of_reference import RowKey
from accumcheck.runfolder.steps import read_contributions, read_outputs, read_steps
from accumcheck.work.second_run import Again
from accumcheck.work.testimony import contents_of, keys_of, padded_otherwise

_LEFT = 5.0
"""How many times as much as the sum of a few samples a whole step may leave."""


def unmixed_in_control(
    job: Job, check: CheckConfig, dtype: str, alike: Mapping[int, int], again: Again | None
) -> Unmixed | None:
    """What the neighbours of a row change in the control's first step, see `ReferenceObservation`.

    Args:
        job: the reference's; the witness has written to its folder.
        check: the resolved configuration.
        dtype: in which the model computes.
        alike: from the numbers of the witness's rows to those of the control's that differ only by padding.
        again: runs the program once more; None if it cannot be.
    """
    control = control_of(check.splits) if check.splits else None
    if control is None or control.num_processes * control.per_device_train_batch_size == 1:
        return None
    seen = _first_rows(job.run / str(control), control.num_processes, 1, {})
    if seen is None:
        return None
    alone = _first_rows(job.folder, 1, 1, alike)
    if alone is not None and (found := _unmixed(seen, alone, dtype)) is not None:
        return found
    other = with_other_neighbours(control)
    if other is None or str(other) == str(Split(1, 1, check.global_batch_size)) or again is None or not again(other):
        return None
    folder, steps = job.folder / str(other), steps_of(other, check)
    once_more = _first_rows(folder, 1, steps, _padded_otherwise(job, folder, steps))
    found = None if once_more is None else _unmixed(seen, once_more, dtype)
    if found == "row" and not _is_made_of(job.run / str(control), control.num_processes, folder, steps, dtype):
        return None
    return None if found is None else "targets"


def _is_made_of(control: Path, processes: int, other: Path, steps: int, dtype: str) -> bool:
    """Whether the control's gradient is a combination of the other run's micro-batches.

    If each row has one weight, it must be; otherwise the loss does not reach the model through its outputs alone.
    """
    whole = read_contributions(control, 0, processes)
    parts = [read_contributions(other, step, 1).get(0) for step in range(steps)]
    known = [part for part in parts if part is not None]
    if (
        len(whole) < processes
        or len(known) < steps
        or any(one.shape[1:] != known[0].shape[1:] for one in whole.values())
    ):
        return False
    total = np.sum([one.astype(np.float64).sum(axis=0) for one in whole.values()], axis=0)
    _, left = combination(total, np.concatenate(known).astype(np.float64))
    return left <= _LEFT * SAME[dtype]


def with_other_neighbours(control: Split) -> Split | None:
    """One process with the control's k, where rows share micro-batches with fewer others; None if there is none."""
    size = control.per_device_train_batch_size
    smaller = size if control.num_processes > 1 else size // 2
    return Split(1, smaller, control.gradient_accumulation_steps) if smaller else None


def steps_of(split: Split, check: CheckConfig) -> int:
    """How many steps of this split have the rows of one step of the check."""
    each = split.per_device_train_batch_size * split.gradient_accumulation_steps
    return -(-check.global_batch_size // each)


def _padded_otherwise(job: Job, folder: Path, steps: int) -> dict[int, int]:
    """From the numbers of rows fed in this folder to the control's rows that differ only by padding."""
    fed = [number for step in read_steps(folder, 0)[:steps] for batch in step.micro_batches for number in batch.samples]
    return padded_otherwise(fed, job.membership[0], {**contents_of(job), **read_fields(folder, 0)})


_Seen = tuple[list[RowKey], OutputRows]


def _first_rows(folder: Path, processes: int, steps: int, named: Mapping[int, int]) -> _Seen | None:
    """The rows of the first steps, as drawn, and what was seen of them; None if that is not known of all.

    ``named``: other numbers for some of the rows.
    """
    numbers: list[int] = []
    parts = []
    for step in range(steps):
        outputs = read_outputs(folder, step, processes)
        try:
            views = [read_steps(folder, process)[step].micro_batches for process in range(processes)]
        except (FileNotFoundError, IndexError):
            return None
        whole = joined([outputs[process] for process in sorted(outputs)])
        if len(outputs) < processes or whole is None:
            return None
        order = _as_drawn([[len(batch.samples) for batch in view] for view in views])
        fed = [number for view in views for batch in view for number in batch.samples]
        numbers += [named.get(fed[at], fed[at]) for at in order]
        parts.append(chosen(whole, order))
    every = joined(parts)
    return None if every is None else (keys_of([numbers])[0], every)


def _as_drawn(sizes: Sequence[Sequence[int]]) -> list[int]:
    """The places of rows that are listed by process, in the order drawn: micro-batch j goes to process j % n."""
    places: list[list[range]] = []
    start = 0
    for view in sizes:
        places.append([])
        for size in view:
            places[-1].append(range(start, start + size))
            start += size
    turns = max(map(len, places), default=0)
    return [at for turn in range(turns) for view in places if turn < len(view) for at in view[turn]]


def _unmixed(control: _Seen, other: _Seen, dtype: str) -> Unmixed | None:
    """Compare the control's rows with the same of another run; None if some are missing there."""
    places = {key: at for at, key in enumerate(other[0])}
    if not all(key in places for key in control[0]):
        return None
    return unmixed(control[1], chosen(other[1], [places[key] for key in control[0]]), dtype)
