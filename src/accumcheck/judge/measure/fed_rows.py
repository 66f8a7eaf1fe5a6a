"""Which rows a program's splits were fed, step by step, compared with the control's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from accumcheck.record import ReferenceObservation, Split, SplitObservation, StepObservation
from accumcheck.record.fed import FedRow
from accumcheck.rows.changes import HARMLESS, Change, change_in_place
from accumcheck.rows.pairing import paired


@dataclass(frozen=True)
class Repeated:
    """A row that was fed ``times`` times but belongs to the step once: its place in the step, and the processes."""

    place: int
    times: int
    processes: tuple[int, ...]


@dataclass(frozen=True)
class Changed:
    """A row of the step that was fed with changed contents."""

    place: int
    process: int
    change: Change


@dataclass(frozen=True)
class StepRows:
    """Which rows one step was fed wrongly, and which are missing.

    Places are those of rows in the control's step, from 0. ``fed`` and ``due``: number of rows; ``missing``: places
    never fed; ``later``: for rows of other steps, the step (from 1) each belongs to; ``unknown``: the processes
    that were fed rows of no step.
    """

    step: int
    fed: int
    due: int
    repeated: tuple[Repeated, ...] = ()
    missing: tuple[int, ...] = ()
    changed: tuple[Changed, ...] = ()
    elsewhere: tuple[int, ...] = ()
    unknown: tuple[int, ...] = ()
    again: bool = False
    """Whether every micro-batch of each process was the same."""

    @property
    def hard(self) -> tuple[Changed, ...]:
        """The changes that make it a different row."""
        return tuple(one for one in self.changed if one.change.kind not in HARMLESS)

    @property
    def soft(self) -> tuple[Changed, ...]:
        """The changes that may have no effect."""
        return tuple(one for one in self.changed if one.change.kind in HARMLESS and one.change.kind != "same")

    @property
    def others(self) -> bool:
        """Whether the step was fed rows that do not belong to it, or lacks some that do."""
        return bool(self.repeated or self.missing or self.elsewhere or self.unknown or self.hard)


@dataclass(frozen=True)
class SplitRows:
    """The steps of a split in which something differs.

    ``reordered``: only the order of rows over the steps differs; ``made`` and ``due``: the number of steps, and the
    control's.
    """

    steps: tuple[StepRows, ...] = ()
    reordered: bool = False
    made: int = 0
    due: int = 0

    @property
    def wrong(self) -> tuple[StepRows, ...]:
        """The steps that were not fed the control's rows."""
        return tuple(step for step in self.steps if step.others)


@dataclass(frozen=True)
class Fed:
    """The splits of a program, with the control's numbers for equal rows, and the differences."""

    observations: tuple[SplitObservation, ...]
    of: Mapping[Split, SplitRows] = field(default_factory=dict)


def compare_fed(
    observations: Sequence[SplitObservation], control: Split, reference: ReferenceObservation | None
) -> Fed:
    """Compare what every split was fed with what the control was fed.

    Args:
        observations: of a program; rows with equal content have the same number.
        control: if it did not run, the first split that did takes its place.
        reference: its steps are the control's.
    """
    due = _steps_of(observations, control, reference)
    contents = {number: row for one in observations for number, row in one.rows.items()}
    home = {number: step for step, numbers in reversed(list(enumerate(due, start=1))) for number in numbers}
    found, seen = {}, []
    for one in observations:
        if one.status == "ran" and due:
            steps, observed = [], []
            for position, step in enumerate(one.steps):
                members = due[position] if position < len(due) else ()
                rows, names = _compare_step(step, members, home, contents)
                steps.append(rows)
                observed.append(_renamed(step, names))
            one = replace(one, steps=tuple(observed))
            kept = tuple(rows for rows in steps if rows.others or rows.soft)
            reordered = any(rows.others for rows in steps) and _same_rows(one, due, contents)
            found[one.split] = SplitRows(kept, reordered, len(steps), len(due))
        seen.append(one)
    return Fed(tuple(seen), found)


def _steps_of(
    observations: Sequence[SplitObservation], control: Split, reference: ReferenceObservation | None
) -> list[tuple[int, ...]]:
    """The rows of each step, in the control's order."""
    if reference is not None:
        return [tuple(step) for step in reference.membership]
    ran = sorted((one for one in observations if one.status == "ran"), key=lambda one: one.split != control)
    steps = ran[0].steps if ran else ()
    return [tuple(number for batch in step.micro_batches for number in batch.samples) for step in steps]


def _compare_step(
    step: StepObservation, due: Sequence[int], home: Mapping[int, int], contents: Mapping[int, FedRow]
) -> tuple[StepRows, dict[int, int]]:
    """What differs in one step, and the numbers of rows that equal the control's except for harmless changes."""
    fed = [(number, batch.process) for batch in step.micro_batches for number in batch.samples]
    times, places = Counter(number for number, _ in fed), {number: place for place, number in enumerate(due)}
    missing = [number for number in places if number not in times]
    strange = [number for number in dict.fromkeys(number for number, _ in fed) if number not in places]
    unknown = [one for one in strange if one not in home]
    pairs = paired(unknown, missing, contents, due)
    pairs |= _in_place(step, [one for one in unknown if one not in pairs], due, contents)
    names = {other: mine for other, (mine, change) in pairs.items() if change.kind in HARMLESS}
    by = dict(reversed(fed))
    left = [number for number in strange if number not in pairs]
    # a row with changed contents may come twice as well
    times = Counter({pairs[number][0] if number in pairs else number: count for number, count in times.items()})
    who: dict[int, list[int]] = {}
    for number, process in fed:
        who.setdefault(pairs[number][0] if number in pairs else number, []).append(process)
    rows = StepRows(
        step=step.step,
        fed=len(fed),
        due=len(due),
        repeated=tuple(
            Repeated(places[number], count, tuple(sorted(set(who[number]))))
            for number, count in sorted(times.items(), key=lambda item: places.get(item[0], 0))
            if number in places and count > 1
        ),
        missing=tuple(places[number] for number in missing if number not in times),
        changed=tuple(
            Changed(places[mine], by[other], change)
            for other, (mine, change) in sorted(pairs.items(), key=lambda pair: places[pair[1][0]])
        ),
        elsewhere=tuple(home[number] for number in left for _ in who[number] if number in home),
        unknown=tuple(process for number in left if number not in home for process in who[number]),
        again=_is_again(step),
    )
    return rows, names


def _is_again(step: StepObservation) -> bool:
    of: dict[int, list[tuple[int, ...]]] = {}
    for batch in step.micro_batches:
        of.setdefault(batch.process, []).append(batch.samples)
    return all(len(fed) > 1 and len(set(fed)) == 1 for fed in of.values()) and bool(of)


def _in_place(
    step: StepObservation, unknown: Sequence[int], due: Sequence[int], contents: Mapping[int, FedRow]
) -> dict[int, tuple[int, Change]]:
    """Rows that cannot be identified by content, but that all came at the places of missing rows.

    A field that several rows share, such as a class or a number of boxes, is then enough.
    """
    fed = _drawn(step)
    found: dict[int, tuple[int, Change]] = {}
    for number in unknown:
        place = fed.index(number)
        mine = due[place] if place < len(due) else None
        if mine is None or mine in fed or mine not in contents or number not in contents:
            return {}
        change = change_in_place(contents[mine], contents[number])
        if change is None:
            return {}
        found[number] = (mine, change)
    return found


def _drawn(step: StepObservation) -> list[int]:
    """The rows in the order drawn: micro-batch j of process i comes before that of process i + 1."""
    of: dict[int, list[tuple[int, ...]]] = {}
    for batch in step.micro_batches:
        of.setdefault(batch.process, []).append(batch.samples)
    turns = zip_longest(*(of[process] for process in sorted(of)), fillvalue=())
    return [number for turn in turns for samples in turn for number in samples]


def _renamed(step: StepObservation, names: Mapping[int, int]) -> StepObservation:
    if not names:
        return step
    batches = tuple(
        replace(batch, samples=tuple(names.get(number, number) for number in batch.samples))
        for batch in step.micro_batches
    )
    return replace(step, micro_batches=batches)


def _same_rows(split: SplitObservation, due: Sequence[Sequence[int]], contents: Mapping[int, FedRow]) -> bool:
    """Whether all steps together were fed the right rows, and no step a row twice; equal items are one row."""
    fed = [[number for batch in step.micro_batches for number in batch.samples] for step in split.steps]
    if any(len(set(numbers)) != len(numbers) for numbers in fed):
        return False

    def counted(steps: Iterable[Sequence[int]]) -> Counter[object]:
        return Counter(
            frozenset((name, one.digest) for name, one in contents[number].items()) if number in contents else number
            for numbers in steps
            for number in numbers
        )

    return counted(fed) == counted(due)
