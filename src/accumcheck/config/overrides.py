"""``--set a.b=c``: values of the command line replace those of the file, key by key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from accumcheck.config.aliases import both_given, canonical_path
from accumcheck.config.faults import Faults, Place, argument_place, show_path
from accumcheck.config.limits import DEPTH
from accumcheck.config.messages import describe
from accumcheck.config.model import DATA_COLUMNS, DATA_SOURCES, MODEL_SOURCES
from accumcheck.config.tree import Item, Keys, find, put, remove
from accumcheck.config.yaml_positions import read_document

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALTERNATIVES = (MODEL_SOURCES, DATA_SOURCES, DATA_COLUMNS)


def apply_overrides(tree: Item, overrides: Sequence[str], faults: Faults) -> None:
    """Put each ``key.path=value`` into the tree instead of the file's value; later ones win.

    A value is YAML; an empty one is null. A key of the file that excludes the given one (`model.config`
    with `model.name_or_path`) is removed, so that the command line wins there as well.
    """
    for argument in overrides:
        place = argument_place(argument)
        path, equals, text = argument.partition("=")
        written: Keys = tuple(part.strip() for part in path.split("."))
        if not equals or not all(written):
            faults.add(place, "", "not of the form key.path=value, for example --set model.dtype=float64")
            continue
        if len(written) > DEPTH:
            faults.add(place, "", f"nested too deeply; write at most {DEPTH} levels")
            continue
        item = _value(text, place, faults)
        if item is None:
            continue
        keys = canonical_path(written)
        if keys != written:
            item = replace(item, alias=show_path(written))
        present = find(tree, keys)
        if present is not None and present.place.on_command_line and present.alias != item.alias:
            faults.add(place, show_path(written), both_given(keys, present))
            continue
        _drop_alternatives(tree, keys, item)
        blocked = put(tree, keys, item)
        if blocked is not None:
            _note_blocked(tree, keys, blocked, place, faults)


def _value(text: str, place: Place, faults: Faults) -> Item | None:
    before = len(faults)
    item = read_document(text, place, faults)
    if item is None and len(faults) == before:
        return Item(None, place)
    return item


def _drop_alternatives(tree: Item, keys: Keys, item: Item) -> None:
    for group in _ALTERNATIVES:
        if keys in group and item.value is not None:
            for other in group:
                present = find(tree, other)
                if other != keys and present is not None and not present.place.on_command_line:
                    remove(tree, other)


def _note_blocked(tree: Item, keys: Keys, blocked: Keys, place: Place, faults: Faults) -> None:
    present = find(tree, blocked)
    if present is not None and not present.broken:
        name = show_path(blocked)
        message = f"cannot be set, since {name} is {describe(present)} ({present.place}); set {name} as a whole"
        faults.add(place, show_path(keys), message)
