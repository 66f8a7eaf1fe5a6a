"""Where in the configuration's file the splits stand, for reports that point at lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.config.aliases import find, rename_aliases
from accumcheck.config.composites import OneSplit
from accumcheck.config.faults import Faults, Place
from accumcheck.config.fields import SPLIT
from accumcheck.config.overrides import apply_overrides
from accumcheck.config.yaml_positions import Item, read_document
from accumcheck.record import ConfigFile, Split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def config_file(path: Path, overrides: Sequence[str] = ()) -> ConfigFile:
    """The lines of the splits in a file that `load_config` has read.

    Splits that were given with ``--set``, or as ``auto``, stand on the line of the key ``splits``, else on that of
    ``model``; a file that cannot be read a second time (a pipe) has only its first line.

    Args:
        path: the file, as the user named it.
        overrides: as of `load_config`.
    """
    nowhere = Faults()
    try:
        tree = read_document(path.read_text(encoding="utf-8-sig"), Place(str(path)), nowhere)
    except (OSError, ValueError):
        tree = None
    if tree is None or tree.mapping is None:
        return ConfigFile(str(path))
    rename_aliases(tree, nowhere)
    written = find(tree, ("splits",)) or find(tree, ("model",))
    apply_overrides(tree, overrides, nowhere)
    rename_aliases(tree, nowhere)
    return ConfigFile(str(path), written.place.line if written else 1, _lines(find(tree, ("splits",))))


def _lines(splits: Item | None) -> dict[str, int]:
    lines: dict[str, int] = {}
    if splits is not None and isinstance(splits.value, list):
        for index, item in enumerate(splits.value):
            split = OneSplit(SPLIT).read(item, ("splits", index), Faults())
            if isinstance(split, Split) and item.place.line:
                lines[str(split)] = item.place.line
    return lines
