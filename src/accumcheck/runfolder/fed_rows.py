"""The rows that a program fed its model, by their numbers: ``rows-R.pt`` in a split's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

    Row: TypeAlias = dict[str, torch.Tensor]


def write_rows(folder: Path, process: int, rows: Mapping[int, Row]) -> None:
    """Write the rows so far, whole or not at all: another process may be reading."""
    import torch

    target = folder / f"rows-{process}.pt"
    written = target.with_suffix(".part")
    torch.save(dict(rows), written)
    written.replace(target)


def read_rows(run: Path) -> dict[int, Row]:
    """The rows of every split of a run that has written them."""
    import torch

    found: dict[int, Row] = {}
    for path in sorted(run.glob("*/rows-*.pt")):
        found.update(torch.load(path, weights_only=True))
    return found
