"""The lines of splits and other keys in the configuration file, for reports that point at lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.config.aliases import rename_aliases
from accumcheck.config.faults import Faults, KeyPath, Place
from accumcheck.config.files import read_text
from accumcheck.config.overrides import apply_overrides
from accumcheck.config.reading import read_splits
from accumcheck.config.tree import Item, find
from accumcheck.config.yaml_positions import read_document
from accumcheck.errors import ConfigError
from accumcheck.record import ConfigFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def config_file(path: Path, overrides: Sequence[str] = ()) -> ConfigFile:
    """The lines of the splits in a file that `load_config` has read.

    Splits given with ``--set``, or as ``auto``, get the line of the key ``splits``, or else that of
    ``model``; a file that cannot be read a second time has only its first line.

    Args:
        path: the file, as the user named it.
        overrides: as in `load_config`.
    """
    nowhere = Faults()
    tree = _tree(path, nowhere)
    if tree is None:
        return ConfigFile(str(path))
    written = find(tree, ("splits",)) or find(tree, ("model",))
    apply_overrides(tree, overrides, nowhere)
    rename_aliases(tree, nowhere)
    return ConfigFile(str(path), written.place.line if written else 1, _lines(find(tree, ("splits",))))


def place_of_key(path: Path, key: KeyPath, overrides: Sequence[str] = ()) -> Place:
    """Where a key of a file that `load_config` has read was written: in the file, or with ``--set``.

    Args:
        path: the file, as the user named it.
        key: the key's path in canonical names; one that was not written has the place of the section above it.
        overrides: as in `load_config`.
    """
    nowhere = Faults()
    tree = _tree(path, nowhere)
    if tree is not None:
        apply_overrides(tree, overrides, nowhere)
        rename_aliases(tree, nowhere)
        for length in range(len(key), 0, -1):
            if (item := find(tree, key[:length])) is not None:
                return item.place
    return Place(str(path))


def _tree(path: Path, faults: Faults) -> Item | None:
    """The file's values under canonical keys; None if it cannot be read a second time."""
    try:
        tree = read_document(read_text(path, ""), Place(str(path)), faults)
    except ConfigError:
        return None
    if tree is None or tree.mapping is None:
        return None
    rename_aliases(tree, faults)
    return tree


def _lines(splits: Item | None) -> dict[str, int]:
    if splits is None or not isinstance(splits.value, list):
        return {}
    found = read_splits(splits, Faults())
    return {str(split): splits.value[i].place.line for i, split in found if splits.value[i].place.line}
