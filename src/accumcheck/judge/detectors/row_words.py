"""Words for rows that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from accumcheck.judge.measure.fed_rows import Changed, Repeated, StepRows

_PLACES = 6
"""Rows that are listed one by one."""


def step_words(step: StepRows) -> str:
    """Everything in which the rows of one step differ from the control's."""
    said = [*_repeated(step), *([content_words(step.hard)] if step.hard else [])]
    if step.elsewhere:
        of = sorted(set(step.elsewhere))
        said.append(f"{_rows(len(step.elsewhere))} of step{'s' * (len(of) > 1)} {_listed(of)} came instead")
    if step.unknown:
        said.append(
            f"{_rows(len(step.unknown))} that the control is not fed in any step came instead, "
            f"{_processes(step.unknown)}"
        )
    if step.missing:
        said.append(f"{_places(step.missing)} {'was' if len(step.missing) == 1 else 'were'} never fed")
    total = f"{step.fed} rows were fed instead of {step.due}: " if step.fed != step.due else ""
    return total + ", ".join(said)


def content_words(changed: Sequence[Changed]) -> str:
    """Rows with changed contents, grouped by the change."""
    groups: dict[tuple[str, tuple[str, ...]], list[Changed]] = {}
    for one in changed:
        groups.setdefault((one.change.kind, one.change.fields), []).append(one)
    return ", ".join(_content(kind, fields, members) for (kind, fields), members in groups.items())


def _content(kind: str, fields: tuple[str, ...], members: Sequence[Changed]) -> str:
    where = f"{_places([one.place for one in members])} ({_processes([one.process for one in members])})"
    names = _listed(fields)
    lengths = members[0].change.lengths
    sizes = "" if lengths is None else f", {lengths[1]} entries instead of {lengths[0]}"
    first = f" in row {members[0].place}" if sizes and len(members) > 1 else ""
    if kind == "cut":
        longer = lengths is not None and lengths[1] > lengths[0]
        return f"{where} {'longer' if longer else 'cut shorter'} in {names}{sizes}{first}"
    if kind == "padded":
        return f"{where} padded to another length without a mask that hides it ({names}{sizes}{first})"
    if kind == "padding-trained":
        return f"{where} with labels at padding ({names}{sizes}{first})"
    if kind == "constant":
        return f"{where} together with a different {names}"
    return f"{where} with different {names}{sizes}{first}"


def causes(steps: Sequence[StepRows]) -> tuple[str, ...]:
    """What is wrong, one sentence per kind."""
    found = []
    repeated = [one for step in steps for one in step.repeated]
    if any(step.again for step in steps) and repeated:
        found.append("The same micro-batch is trained repeatedly within a step.")
    elif any(len(one.processes) > 1 for one in repeated):
        found.append("The shards of the processes overlap: both are fed the same rows.")
    elif repeated:
        found.append("Rows are fed twice or more often in one step.")
    kinds = {one.change.kind for step in steps for one in step.hard}
    if "cut" in kinds:
        found.append("The collator cuts rows to their micro-batch: a row's content depends on its neighbours.")
    if "padding-trained" in kinds:
        found.append("Padding has labels other than -100, so it is trained on.")
    if "field" in kinds:
        fields = dict.fromkeys(name for step in steps for one in step.hard for name in one.change.fields)
        found.append(f"The same rows are fed with different contents: {_listed(tuple(fields))}.")
    if any(step.elsewhere or step.unknown for step in steps):
        found.append("A step is fed rows that the control is fed in another step, or in none.")
    if any(step.missing for step in steps) and not found:
        found.append("Rows of the global batch are left out.")
    return tuple(found)


def advice(steps: Iterable[StepRows]) -> str:
    """What to check."""
    every = list(steps)
    found = []
    if any(step.again and step.repeated for step in every):
        found.append("Take the next micro-batch from one iterator; do not make a new one for each.")
    if any(len(one.processes) > 1 for step in every for one in step.repeated) or any(
        step.elsewhere or step.unknown for step in every
    ):
        found.append("Shuffle with the same seed in every process, and give each its own part of every global batch.")
    if any(step.hard for step in every):
        found.append("Make rows before they are put into micro-batches, and identically in every process.")
    return " ".join(found) or "Compare the order of the data: seeds, shuffling, samplers, drop_last."


def _repeated(step: StepRows) -> list[str]:
    """Rows that were fed more than once, grouped by how often and in which processes."""
    groups: dict[tuple[int, tuple[int, ...]], list[Repeated]] = {}
    for one in step.repeated:
        groups.setdefault((one.times, one.processes), []).append(one)
    found = []
    for (times, processes), members in groups.items():
        how = "twice" if times == 2 else f"{times} times"
        places = _places([one.place for one in members])
        each = "" if len(members) == 1 else " each"
        found.append(
            f"{places} {'was' if len(members) == 1 else 'were'} fed {how}{each}, "
            f"{'by both processes' if processes == (0, 1) else _processes(processes)}"
        )
    return found


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"


def _places(places: Sequence[int]) -> str:
    return f"row{'s' * (len(places) != 1)} {_listed(places)}"


def _processes(processes: Sequence[int]) -> str:
    of = sorted(set(processes))
    return f"in process{'es' * (len(of) > 1)} {_listed(of)}"


def _listed(values: Sequence[object]) -> str:
    shown = [str(value) for value in values[:_PLACES]]
    if len(values) > _PLACES:
        return f"{', '.join(shown)} and {len(values) - _PLACES} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""
