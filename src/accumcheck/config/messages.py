"""Messages about a value that a key does not allow: what was found, what was expected, and a hint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from accumcheck.config.faults import KeyPath, did_you_mean, either, shorten, show_path
from accumcheck.declare.keys import Auto, Expected, Flag, Number, OneOf, Text, keys_of

if TYPE_CHECKING:
    from accumcheck.config.tree import Item
    from accumcheck.declare.keys import Declared

_QUOTED = {
    int: re.compile(r"[-+]?(?:0|[1-9][0-9]*)"),
    float: re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?"),
    bool: re.compile(r"(?i:true|false|yes|no|on|off)"),
}
"""By type: texts that would be valid without their quotes."""


def name_of(item: Item | None, path: KeyPath) -> str:
    """The key's path for a message, after the alias if the user wrote one: ``torch_dtype (model.dtype)``."""
    return f"{item.alias} ({show_path(path)})" if item is not None and item.alias else show_path(path)


def describe(item: Item) -> str:
    """What was found, for a message: its text, and its type if that could be mistaken."""
    value = item.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{shorten(item.text)} (a boolean)"
    if isinstance(value, (int, float)):
        return shorten(item.text)
    if isinstance(value, str):
        return f"{shorten(value)!r} (text)"
    return "a list" if isinstance(value, list) else "a mapping"


def expected(declared: Declared) -> str:
    """What the key allows, as words after "expected"."""
    if declared.section is not None:
        return f"a mapping of keys: {', '.join(keys_of(declared.section))}"
    if declared.words:
        return either(declared.words)
    said = next(one for one in declared.said if isinstance(one, (Expected, Number, Flag, Text)))
    auto = isinstance(said, Number) and declared.find(Auto) is not None
    return f"auto or {said.words}" if auto else said.words


def hint(declared: Declared, item: Item) -> str:
    """How to fix the value, if that can be guessed; begins with ``; ``."""
    value = item.value
    if declared.words:
        choice = declared.find(OneOf)
        spellings = choice.spellings if choice is not None else ()
        return did_you_mean(value, (*declared.words, *spellings)) if isinstance(value, str) else ""
    if isinstance(value, str):
        quoted = _QUOTED.get(declared.kind)
        return "; remove the quotes" if quoted and quoted.fullmatch(value[:60]) else ""
    scalar = isinstance(value, (bool, int, float))
    return f"; put it in quotes: '{shorten(item.text)}'" if scalar and declared.kind is str else ""


def unknown_key(section: type[Any], path: KeyPath, other_names: tuple[str, ...] = ()) -> str:
    """The message for an unknown key: the keys that the section has, and which one was probably meant."""
    *above, name = path
    names = list(keys_of(section))
    deeper = [f"'{show_path((*above, *found))}'" for found in _deeper(section, str(name))]
    meant = f"; did you mean {either(deeper)}?" if deeper else did_you_mean(str(name), (*names, *other_names))
    return f"unknown key; allowed here: {', '.join(names)}{meant}"


def _deeper(section: type[Any], name: str) -> list[tuple[str, ...]]:
    """The paths of keys with that name in the sections inside this one."""
    found: list[tuple[str, ...]] = []
    for declared in keys_of(section).values():
        if declared.section is not None:
            found += [(declared.name, inner) for inner in keys_of(declared.section) if inner == name]
            found += [(declared.name, *inner) for inner in _deeper(declared.section, name)]
    return found
