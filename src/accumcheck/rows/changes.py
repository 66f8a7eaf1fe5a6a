"""How a row that one split was fed differs from the same row in the control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from accumcheck.record.fed import FedField, FedRow
from accumcheck.rows.sample import IGNORED

Kind = Literal["same", "padded", "constant", "field", "padding-trained", "cut"]
KINDS: tuple[Kind, ...] = ("same", "padded", "constant", "padding-trained", "field", "cut")
"""Kinds of change, from the one that changes a row least to the one that changes it most."""
HARMLESS: frozenset[Kind] = frozenset({"same", "padded", "constant"})
"""Changes that may have no effect: the gradient shows whether they do."""

SKETCH = 5e-4
"""Floats that differ by less than this part of their norm are the same: a cast to float16 changes them by less."""
NEAR = 0.3
"""Floats whose sketches differ by less than this are from the same row: those of two random rows differ by 1.4."""
_SHORTEST = 2
"""Number of entries that must remain of a cut row to identify it."""
_NO_EVIDENCE = ("position_ids", "token_type_ids", "mask")
"""Parts of names of fields that different rows may share."""

Values = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Change:
    """``fields``: those that differ; ``lengths``: of the longest of them, in the control and here."""

    kind: Kind
    fields: tuple[str, ...] = ()
    lengths: tuple[int, int] | None = None


def change_of(control: FedRow, fed: FedRow, evidence: frozenset[tuple[str, str]]) -> Change | None:
    """How one row was changed into the other; None if they are different rows.

    Args:
        control: the row in the control.
        fed: the row in the split.
        evidence: fields by name and digest that distinguish rows of this step, see `evidence_in`.
    """
    differing = _differing(control, fed)
    lengths = _lengths(control, fed, differing)
    if not differing:
        return Change("same")
    if padding := _padding(control, fed, differing):
        return Change(padding, tuple(differing), lengths)
    equal = {(name, one.digest) for name, one in control.items() if name in fed and name not in differing}
    known = bool(equal & evidence)
    if all(_is_whole(name, control, fed) for name in differing):
        return Change("constant", tuple(differing), lengths) if known else None
    if known or _is_near(control, fed, differing):
        return Change("field", tuple(name for name in differing if not _is_whole(name, control, fed)), lengths)
    if _is_cut(control, fed, differing):
        return Change("cut", tuple(differing), lengths)
    return None


def change_in_place(control: FedRow, fed: FedRow) -> Change | None:
    """How a row at the same place as in the control was changed, if any of its own fields is still the same."""
    differing = _differing(control, fed)
    own = [
        name
        for name, one in control.items()
        if not one.whole and name in fed and name not in differing and not any(part in name for part in _NO_EVIDENCE)
    ]
    if not own or any("input_ids" in name for name in differing):  # a changed text would still share tokens
        return None
    return Change("field", tuple(differing), _lengths(control, fed, differing))


def evidence_in(rows: list[FedRow]) -> frozenset[tuple[str, str]]:
    """Which fields distinguish a row from others: contents of several entries, or contents that no other row has."""
    seen: dict[tuple[str, str], int] = {}
    sizes: dict[tuple[str, str], int] = {}
    for row in rows:
        for name, one in row.items():
            if not one.whole and not any(part in name for part in _NO_EVIDENCE):
                key = (name, one.digest)
                seen[key] = seen.get(key, 0) + 1
                sizes[key] = int(np.prod(one.shape)) if one.shape else 1
    distinct = len({tuple(sorted((name, one.digest) for name, one in row.items())) for row in rows})
    return frozenset(
        key
        for key, times in seen.items()
        if (times == 1 and (sizes[key] > 1 or distinct > 1)) or (sizes[key] > 1 and 2 * times <= len(rows))
    )


def _differing(control: FedRow, fed: FedRow) -> list[str]:
    """The fields that differ; one that is whole in one row and per row in the other cannot be compared."""
    found = []
    for name in dict.fromkeys([*control, *fed]):
        one, other = control.get(name), fed.get(name)
        lacking = one is None or other is None
        if lacking or (one and other and one.whole == other.whole and not _is_same(one, other)):
            found.append(name)
    return found


def _is_same(one: FedField, other: FedField) -> bool:
    return one.digest == other.digest or _is_close(one, other)


def _is_close(one: FedField, other: FedField, *, any_length: bool = False) -> bool:
    if not one.sketch or not other.sketch or not (any_length or one.shape == other.shape):
        return False
    largest = max(abs(one.sketch[0]), abs(other.sketch[0]))
    return all(abs(a - b) <= SKETCH * largest for a, b in zip(one.sketch, other.sketch, strict=True))


def _is_near(control: FedRow, fed: FedRow, differing: list[str]) -> bool:
    """Whether only floats differ, and only slightly: scaled a little, or with a little noise."""
    pairs = [(control[name].sketch, fed[name].sketch) for name in differing if name in control and name in fed]
    if len(pairs) != len(differing) or not all(one and other for one, other in pairs):
        return False
    if any(control[name].shape != fed[name].shape for name in differing):
        return False
    return all(
        np.linalg.norm(np.subtract(one, other)) <= NEAR * np.linalg.norm(one) and any(one) for one, other in pairs
    )


def _is_whole(name: str, *rows: FedRow) -> bool:
    return all(name not in row or row[name].whole for row in rows)


def _lengths(control: FedRow, fed: FedRow, differing: list[str]) -> tuple[int, int] | None:
    pairs = [(control[name].length, fed[name].length) for name in differing if name in control and name in fed]
    pairs = [(one, other) for one, other in pairs if one != other]
    return max(pairs, key=max) if pairs else None


# --- longer and shorter -----------------------------------------------------------------------------------------------


def _padding(control: FedRow, fed: FedRow, differing: list[str]) -> Kind | None:
    """Whether one row is the other followed, or preceded, by padding; ``padding-trained`` if that has labels."""
    longer = _longer(control, fed, differing)
    if longer is None:
        return None
    long, short = longer
    for left in (False, True):
        kinds = {_padded(name, long.get(name), short.get(name), left=left) for name in differing}
        if None not in kinds:
            return "padding-trained" if "padding-trained" in kinds else "padded"
    return None


def _longer(control: FedRow, fed: FedRow, differing: list[str]) -> tuple[FedRow, FedRow] | None:
    """The longer row and the shorter; None if neither is longer in all fields that differ."""
    signs = {np.sign(control[name].length - fed[name].length) for name in differing if name in control and name in fed}
    if signs == {1}:
        return control, fed
    return (fed, control) if signs == {-1} else None


def _padded(name: str, long: FedField | None, short: FedField | None, *, left: bool) -> Kind | None:
    """What the longer field has in addition: padding, padding that is trained, or something else (None)."""
    if long is None or short is None:  # a mask that shows everything is not kept as a field
        return "padded" if "mask" in name else None
    if long.sketch and short.sketch:
        alike = long.shape[1:] == short.shape[1:] and _is_close(long, short, any_length=True)
        return "padded" if alike and not left else None
    if long.values is None or short.values is None:
        return None
    rest = _rest(long.values, short.values, left=left)
    if "position" in name:  # padding's positions continue the count; padding before a row shifts all others as well
        return "padded" if left or rest is not None else None
    if rest is None or (rest != rest[0]).any():
        return None
    if "labels" not in name or rest[0] == IGNORED:
        return "padded"
    return "padding-trained" if len(rest) > 1 else None  # a single label may also be one that was cut off


def _rest(long: Values, short: Values, *, left: bool) -> Values | None:
    """The additional part of the longer, if the shorter is its end (``left``) or its beginning."""
    more = len(long) - len(short)
    if more <= 0 or not len(short):
        return None
    own, rest = (long[more:], long[:more]) if left else (long[: len(short)], long[len(short) :])
    return rest if np.array_equal(own, short) else None


def _is_cut(control: FedRow, fed: FedRow, differing: list[str]) -> bool:
    """Whether one row is the beginning, or the end, of the other in all numbers that differ."""
    longer = _longer(control, fed, differing)
    if longer is None:
        return False
    long, short = longer
    compared = [
        name
        for name in differing
        if name in long and name in short and long[name].values is not None and short[name].values is not None
    ]
    if not any(_evidence_of_cut(name, short[name]) for name in compared):
        return False
    return any(all(_is_part(name, long, short, left=left) for name in compared) for left in (False, True))


def _evidence_of_cut(name: str, short: FedField) -> bool:
    return short.length >= _SHORTEST and not any(part in name for part in _NO_EVIDENCE)


def _is_part(name: str, long: Mapping[str, FedField], short: Mapping[str, FedField], *, left: bool) -> bool:
    one, other = long[name].values, short[name].values
    if one is None or other is None or "position" in name:
        return True
    return _rest(one, other, left=left) is not None
