"""Which rows are the same but with changed contents: other padding, cut, or with a different field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from accumcheck.record.fed import FedRow
from accumcheck.rows.changes import KINDS, Change, change_of, evidence_in

_PAIRS = 2**16
"""If there are more pairs of rows than this, only pairs with a common field are compared."""


def paired(
    strange: Sequence[int], missing: Sequence[int], contents: Mapping[int, FedRow], due: Sequence[int]
) -> dict[int, tuple[int, Change]]:
    """Match rows that are rows of a step with changed contents.

    Args:
        strange: numbers of rows that do not belong to the step.
        missing: numbers of rows that belong to the step and were not fed.
        contents: what distinguishes rows, by number.
        due: all rows of the step.

    Returns:
        By the number of the strange row: the step's row, and what changed. Smaller changes are matched first, then
        longer rows.
    """
    evidence = evidence_in([contents[number] for number in due if number in contents])
    found = []
    for other, mine in _candidates(strange, missing, contents):
        change = change_of(contents[mine], contents[other], evidence)
        if change is not None:
            size = min(sum(one.length for one in contents[number].values()) for number in (mine, other))
            found.append((KINDS.index(change.kind), -size, other, mine, change))
    pairs: dict[int, tuple[int, Change]] = {}
    taken: set[int] = set()
    for *_, other, mine, change in sorted(found, key=lambda one: one[:4]):
        if other not in pairs and mine not in taken:
            pairs[other] = (mine, change)
            taken.add(mine)
    return pairs


def _candidates(
    strange: Sequence[int], missing: Sequence[int], contents: Mapping[int, FedRow]
) -> Iterable[tuple[int, int]]:
    strange = [number for number in strange if number in contents]
    missing = [number for number in missing if number in contents]
    if len(strange) * len(missing) <= _PAIRS:
        return [(other, mine) for other in strange for mine in missing]
    having: dict[tuple[str, str], list[int]] = {}
    for mine in missing:
        for name, one in contents[mine].items():
            having.setdefault((name, one.digest), []).append(mine)
    return dict.fromkeys(
        (other, mine)
        for other in strange
        for name, one in contents[other].items()
        if len(alike := having.get((name, one.digest), [])) <= len(missing) // 4
        for mine in alike
    )
