"""The tree of a configuration's values, each with the place where it was written, and operations on it by path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from accumcheck.config.faults import KeyPath, Place

Keys = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One value and its place.

    ``text`` is a scalar as it was written; ``alias`` the name under which the key was given, if that is not the
    canonical one; ``broken``: an error was already recorded, so no more errors are reported for the value.
    """

    value: Value
    place: Place
    text: str = ""
    alias: str = ""
    broken: bool = False

    @property
    def mapping(self) -> dict[str, Item] | None:
        """The children by key, or None if the value is not a mapping."""
        return self.value if isinstance(self.value, dict) else None


Value = Union[None, bool, int, float, str, "list[Item]", "dict[str, Item]"]


def find(tree: Item, path: KeyPath) -> Item | None:
    """The item at a path of mappings and lists, or None."""
    here: Item | None = tree
    for part in path:
        value = None if here is None else here.value
        if isinstance(value, dict):
            here = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            here = value[part]
        else:
            return None
    return here


def given(tree: Item, path: KeyPath) -> bool:
    """Whether the key is present and not empty (null)."""
    item = find(tree, path)
    return item is not None and (item.value is not None or item.broken)


def remove(tree: Item, keys: Keys) -> Item | None:
    """Remove the item at a path of mappings and return it, or None."""
    parent = find(tree, keys[:-1])
    return None if parent is None or parent.mapping is None else parent.mapping.pop(keys[-1], None)


def put(tree: Item, keys: Keys, item: Item) -> Keys | None:
    """Set the item at a path of mappings, which are created if they are missing or empty.

    Returns:
        None, or the path of a value on the way that is not a mapping.
    """
    parent = tree
    for depth, key in enumerate(keys[:-1], start=1):
        children = parent.mapping
        if children is None:
            return keys[: depth - 1]
        if key not in children or (children[key].value is None and not children[key].broken):
            children[key] = Item({}, item.place)
        parent = children[key]
    if parent.mapping is None:
        return keys[:-1]
    parent.mapping[keys[-1]] = item
    return None
