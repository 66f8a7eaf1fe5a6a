"""From a tree of YAML values to a `CheckConfig`: pydantic finds errors; here they are reported with their places."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from accumcheck.config.aliases import ELSEWHERE, rename_aliases
from accumcheck.config.faults import Faults, KeyPath, did_you_mean, either, show_path
from accumcheck.config.messages import describe, expected, hint, name_of, unknown_key
from accumcheck.config.model import CheckConfig
from accumcheck.config.tree import Item, Value, find
from accumcheck.config.values import SplitKeys
from accumcheck.declare.keys import Declared, Expected, Required, Section, keys_of
from accumcheck.declare.texts import Words
from accumcheck.record import Split
from accumcheck.record.split import SPLIT_ALIASES

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_IN_PLACE = {"model": {}, "global_batch_size": 1, "splits": "auto"}
"""Placeholders for required keys that are missing or wrong, so that the others can still be checked together."""


@dataclass(frozen=True)
class Reading:
    """The valid part of a tree.

    Attributes:
        check: every valid key; wrong ones have their default value, wrong splits are left out.
        wrong: the paths that were left out.
        plain: the plain values that ``check`` was made of.
    """

    check: CheckConfig
    wrong: frozenset[KeyPath]
    plain: dict[str, Any]

    def splits(self, tree: Item) -> list[tuple[int, Split]]:
        """The valid splits of a list, with their places in it."""
        item = find(tree, ("splits",))
        if item is None or not isinstance(item.value, list):
            return []
        valid = [i for i in range(len(item.value)) if not self.is_wrong("splits", i)]
        return list(zip(valid, self.check.splits or (), strict=False))

    def is_wrong(self, *path: str | int) -> bool:
        """Whether there was an error in a key, inside it, or in a section around it."""
        return any(one[: len(path)] == path or path[: len(one)] == one for one in self.wrong)


@lru_cache(maxsize=1)
def adapter() -> TypeAdapter[CheckConfig]:
    """Pydantic's reader for the declarations.

    Without plugins: pydantic would look for them in the metadata of every installed package.
    """
    before = os.environ.get(_NO_PLUGINS)
    os.environ[_NO_PLUGINS] = "__all__"
    try:
        return TypeAdapter(CheckConfig)
    finally:
        del os.environ[_NO_PLUGINS]
        if before is not None:
            os.environ[_NO_PLUGINS] = before


_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"


def read_tree(tree: Item, faults: Faults) -> Reading:
    """Read a tree whose keys are canonical.

    Args:
        tree: a mapping.
        faults: where every error is noted.

    Returns:
        Its valid part.
    """
    plain: dict[str, Any] = _plain(tree, CheckConfig)
    wrong: set[KeyPath] = set()
    in_place: dict[str, Any] = {"model": {}}  # a program has no model; whether it is missing is checked elsewhere
    while True:
        try:
            check = adapter().validate_python({**in_place, **plain})
        except ValidationError as error:
            errors = error.errors(include_url=False)
            if not wrong:
                for one in errors:
                    _note(tree, one, faults)
            dropped = {_dropped(one) for one in errors}
            plain, in_place = _without(plain, dropped), _IN_PLACE
            wrong |= dropped
        else:
            break
    _check_free(tree, faults)
    return Reading(check, frozenset(wrong), plain)


def read_splits(splits: Item, faults: Faults) -> list[tuple[int, Split]]:
    """The valid splits under the key ``splits``, with their places in the list."""
    tree = Item({"global_batch_size": Item(1, splits.place), "splits": splits}, splits.place)
    rename_aliases(tree, faults)
    return read_tree(tree, faults).splits(tree)


def _plain(item: Item, kind: Any) -> Any:
    """The value without its places.

    An empty key is left out, if it may be empty. Words of a command line are kept as they were written (``1e-3``).
    """
    value = item.value
    if isinstance(value, dict):
        keys = keys_of(kind) if isinstance(kind, type) and issubclass(kind, Section) else {}
        return {
            name: _plain(child, keys[name].kind if name in keys else None)
            for name, child in value.items()
            if not (child.value is None and name in keys and keys[name].may_be_empty)
        }
    if isinstance(value, list):
        return [_written(child) if kind == Words else _plain(child, None) for child in value]
    return value


def _written(item: Item) -> Any:
    return item.text if isinstance(item.value, (bool, int, float)) else _plain(item, None)


def _without(plain: Any, dropped: Iterable[KeyPath]) -> Any:
    """A copy without these paths."""
    here = {path[0] for path in dropped if len(path) == 1}

    def kept(part: str | int, child: Any) -> Any:
        below = [path[1:] for path in dropped if len(path) > 1 and path[0] == part]
        return _without(child, below) if below else child

    if isinstance(plain, dict):
        return {name: kept(name, child) for name, child in plain.items() if name not in here}
    if isinstance(plain, list):
        return [kept(i, child) for i, child in enumerate(plain) if i not in here]
    return plain


def _declared(path: KeyPath, section: type[Section] = CheckConfig) -> tuple[Declared | None, type[Section], KeyPath]:
    """The key at a path, or the one that holds it; its section; the rest of the path inside its value."""
    first, *rest = path
    declared = keys_of(section).get(str(first))
    if declared is None or not rest:
        return declared, section, ()
    if declared.section is not None:
        return _declared(tuple(rest), declared.section)
    if declared.element is not None and len(rest) > 1:
        return _declared(tuple(rest[1:]), declared.element)
    return declared, section, tuple(rest)


def _path(error: ErrorDetails) -> KeyPath:
    return tuple(part for part in error["loc"] if part != "[key]")


def _dropped(error: ErrorDetails) -> KeyPath:
    """The path to remove so that the rest is valid."""
    path = _path(error)
    if error["type"] == "missing":
        return path[:-1] or path
    declared, _, rest = _declared(path)
    if not rest or declared is None:
        return path
    # an element of a list of sections, a key of a mapping; a list of plain values as a whole
    whole = path[: len(path) - len(rest)]
    return whole if get_origin(declared.kind) is tuple and declared.element is None else (*whole, rest[0])


def _note(tree: Item, error: ErrorDetails, faults: Faults) -> None:
    """Record one of pydantic's errors in our words, at the place of the value."""
    path = _path(error)
    if any((above := find(tree, path[:depth])) is not None and above.broken for depth in range(len(path) + 1)):
        return
    declared, section, rest = _declared(path)
    if error["type"] == "missing" and declared is not None and not rest:
        place, required = (find(tree, path[:-1]) or tree).place, declared.find(Required)
        assert required is not None, path
        faults.add(place, show_path(path), f"missing; add for example {required.example}")
        return
    if rest and declared is not None and not (_each(declared) or error["type"] in _OURS):
        path, rest = path[: len(path) - len(rest)], ()  # an element of a pair: the pair is reported
    item = find(tree, path)
    assert item is not None, error
    if error["type"] == "unexpected_keyword_argument":
        faults.add(item.place, show_path(path), partial(_unknown, path, section))
    elif error["type"] == "message":
        faults.add(item.place, name_of(item, path), partial(_refused, str(path[-1]), **error["ctx"]))
    else:
        assert declared is not None
        words, way_out = _words(error, declared, item, rest)
        faults.add(item.place, name_of(item, path), _wrong(item, words, way_out))


_OURS = ("message", "expected")
"""The types of errors that functions of `keys.Checked` raise."""


def _unknown(path: KeyPath, section: type[Section]) -> str:
    if len(path) == 1 and path[0] in ELSEWHERE:
        return ELSEWHERE[str(path[0])]
    return unknown_key(section, path, tuple(SPLIT_ALIASES) if section is SplitKeys else ())


def _refused(name: str, message: str, options: tuple[str, ...]) -> str:
    return message + did_you_mean(name, options)


def _words(error: ErrorDetails, declared: Declared, item: Item, rest: KeyPath) -> tuple[str, str]:
    """What was expected, and a hint that begins with ``; `` or is empty."""
    if error["type"] == "expected":
        return error["ctx"]["words"], error["ctx"]["hint"]
    if rest:
        return _each(declared), ""
    return expected(declared), hint(declared, item)


def _each(declared: Declared) -> str:
    """What each element or value must be, as words after "expected"; empty if that is only known for all together."""
    words = declared.find(Expected)
    return either(declared.value_words) if declared.value_words else words.each if words is not None else ""


def _wrong(item: Item, words: str, way_out: str = "") -> str:
    return f"found {describe(item)}; expected {words}{way_out}"


def _check_free(tree: Item, faults: Faults) -> None:
    """Mappings that are passed through may only hold JSON values."""
    for section, path in _sections(CheckConfig, ()):
        for declared in keys_of(section).values():
            item = find(tree, (*path, declared.name))
            if item is not None and get_origin(declared.kind) is dict and get_args(declared.kind)[1] is Any:
                _check_json(item, (*path, declared.name), faults)


def _sections(section: type[Section], path: KeyPath) -> Iterable[tuple[type[Section], KeyPath]]:
    yield section, path
    for declared in keys_of(section).values():
        if declared.section is not None:
            yield from _sections(declared.section, (*path, declared.name))


def _check_json(item: Item, path: KeyPath, faults: Faults) -> None:
    value: Value = item.value
    if isinstance(value, dict):
        for name, child in value.items():
            _check_json(child, (*path, name), faults)
    elif isinstance(value, list):
        for i, child in enumerate(value):
            _check_json(child, (*path, i), faults)
    elif isinstance(value, float) and not math.isfinite(value):
        faults.add(item.place, show_path(path), _wrong(item, "a finite number"))
    elif isinstance(value, int) and not -(2**63) <= value < 2**64:
        faults.add(item.place, show_path(path), _wrong(item, "a number of at most 64 bits"))
