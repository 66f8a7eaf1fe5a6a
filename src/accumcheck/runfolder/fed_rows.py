"""The rows that a program fed its model, by their numbers.

``rows-R.pt`` in a split's folder holds process R's rows themselves, for the reference; ``rows-R.json`` and
``rows-R.npy`` hold what identifies them, which is read without torch. ``padding-R.json`` holds the ids with which their
micro-batches were padded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from accumcheck.record.fed import FedField, FedRow
from accumcheck.runfolder.codec import read_record, write_record

Row: TypeAlias = dict[str, Any]


def write_rows(folder: Path, process: int, rows: Mapping[int, Row], fields: Mapping[int, FedRow]) -> None:
    """Write the rows so far atomically: another process may be reading.

    Args:
        folder: the split's.
        process: the rank that fed them.
        rows: by number.
        fields: what identifies them, by number.
    """
    import torch

    target = folder / f"rows-{process}.pt"
    written = target.with_suffix(".part")
    torch.save(dict(rows), written)
    written.replace(target)
    values: list[Any] = []
    start, plain = 0, {}
    for number, row in fields.items():
        placed = {}
        for name, one in row.items():
            placed[name] = one if one.values is None else replace(one, start=start)
            if one.values is not None:
                values.append(one.values)
                start += len(one.values)
        plain[str(number)] = placed
    np.save(folder / f"rows-{process}.npy", np.concatenate(values) if values else np.zeros(0, dtype=np.int64))
    write_record(folder / f"rows-{process}.json", plain)


def read_rows(run: Path, kinds: tuple[type, ...]) -> dict[int, Row]:
    """The rows of every split of a run that has written them; values that are not plain have one of these ``kinds``."""
    import torch

    found: dict[int, Row] = {}
    with torch.serialization.safe_globals(list(kinds)):
        for path in sorted(run.glob("*/rows-*.pt")):
            found.update(torch.load(path, weights_only=True))
    return found


def write_padding(folder: Path, process: int, padding: Iterable[int]) -> None:
    """Write the ids with which a process's micro-batches were padded; none if they were not."""
    write_record(folder / f"padding-{process}.json", sorted(padding))


def read_padding(run: Path) -> int | None:
    """The id with which the micro-batches of a run were padded; None if none was padded, or there are several ids."""
    found = {one for path in run.glob("*/padding-*.json") for one in read_record(tuple[int, ...], path)}
    return found.pop() if len(found) == 1 else None


def read_fields(folder: Path, process: int) -> dict[int, FedRow]:
    """What identifies a process's rows, by number; empty if it has written none.

    Raises:
        ValueError: a file has other contents.
    """
    path = folder / f"rows-{process}.json"
    if not path.exists():
        return {}
    values = np.load(path.with_suffix(".npy"), mmap_mode="r")
    rows = read_record(dict[int, dict[str, FedField]], path)
    return {
        number: {
            name: one if one.start < 0 else replace(one, values=values[one.start : one.start + one.length])
            for name, one in row.items()
        }
        for number, row in rows.items()
    }
