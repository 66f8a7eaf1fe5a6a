"""Special token ids: find them, and move them into a smaller vocabulary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from accumcheck.errors import WorkloadError
from accumcheck.workload.determinism import sub_configs

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_FIRST, _LAST = 4, 16
_NAME = re.compile(r"_(id|ids|index|indices)$|^(bos|eos|pad|unk|mask)_index$")


def special_ids(config: PretrainedConfig) -> frozenset[int]:
    """All ids with a special meaning in the config or a sub-config: padding, start, end, image, ..."""
    found: set[int] = set()
    for part in sub_configs(config):
        for name in dir(part):
            if name.endswith(("token_id", "token_index", "token_ids")):
                found.update(_integers(getattr(part, name, None)))
    return frozenset(found)


def ordinary(token: int, vocabulary: int, special: frozenset[int]) -> int:
    """Map any id evenly to one without special meaning.

    The ends of the vocabulary are not used. Their ids may be padding, start or end by default, which depends on the
    release, but the text must not depend on it.

    Raises:
        WorkloadError: every id is special.
    """
    first, last = (_FIRST, vocabulary - _LAST) if vocabulary >= 2 * (_FIRST + _LAST) else (0, vocabulary)
    for step in range(vocabulary):
        candidate = first + (token + step) % (last - first)
        if candidate not in special:
            return candidate
    raise WorkloadError(f"all {vocabulary} ids of the vocabulary are special tokens, so none is left for text")


def move_special_ids(config: PretrainedConfig, vocabulary: int) -> None:
    """Replace every id at or above ``vocabulary`` by a free id at the top of the vocabulary, in place.

    Equal ids get equal new ids, and different ids get different new ids.
    """
    taken = {number for _, _, value in _fields(config) for number in _integers(value) if number < vocabulary}
    free = [number for number in range(vocabulary - 1, -1, -1) if number not in taken]
    moved: dict[int, int] = {}
    for part, name, value in _fields(config):
        for number in _integers(value):
            if number >= vocabulary and number not in moved:
                moved[number] = free[len(moved) % len(free)]
        if any(number in moved for number in _integers(value)):
            same = type(value)
            new = moved[value] if isinstance(value, int) else same(moved.get(item, item) for item in value)
            setattr(part, name, new)


def _fields(config: PretrainedConfig) -> list[tuple[PretrainedConfig, str, Any]]:
    return [
        (part, name, value)
        for part in sub_configs(config)
        for name, value in sorted(vars(part).items())
        if _NAME.search(name) and _integers(value)
    ]


def _integers(value: Any) -> list[int]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return [item for item in items if isinstance(item, int) and not isinstance(item, bool)]
