"""The rows of what a program feeds its model: told apart, known again, and kept for the reference."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from accumcheck.errors import WorkloadError
from accumcheck.workload.collate import IMAGE_FIELDS, Sample
from accumcheck.workload.fingerprint import fingerprint

FILE = "rows-{rank}.pt"
"""In a split's folder: what this process was fed, by the rows' numbers."""


class Rows:
    """Gives each row a number that depends on its content alone, the same in every process and split."""

    def __init__(self) -> None:
        self._kept: dict[int, Sample] = {}

    def find(self, batch: Mapping[str, Any]) -> tuple[int, ...]:
        """The numbers of a batch's rows, which are kept.

        Raises:
            WorkloadError: a field of the batch cannot be dealt out to its rows.
        """
        found = []
        for row in rows_in(batch):
            number = number_of(row)
            self._kept.setdefault(number, row)
            found.append(number)
        return tuple(found)

    def write(self, folder: Path, rank: int) -> None:
        """Write the rows so far, whole or not at all: another process may be reading."""
        target = folder / FILE.format(rank=rank)
        written = target.with_suffix(".part")
        torch.save(self._kept, written)
        written.replace(target)


def read_rows(run: Path) -> dict[int, Sample]:
    """The rows of every split of a run that has written them."""
    found: dict[int, Sample] = {}
    for path in sorted(run.glob("*/rows-*.pt")):
        found.update(torch.load(path, weights_only=True))
    return found


def number_of(row: Sample) -> int:
    """60 bits that tell a row from others: of its inputs and of its labels."""
    labels = row.get("labels")
    exact = "" if labels is None or labels.is_floating_point() else labels.long().numpy().tobytes().hex()
    return int(hashlib.blake2b(f"{fingerprint(row)}:{exact}".encode(), digest_size=8).hexdigest()[:15], 16)


def rows_in(batch: Mapping[str, Any]) -> list[Sample]:
    """The rows of a batch, on the CPU, without the padding that its ``attention_mask`` shows.

    Raises:
        WorkloadError: a field of the batch cannot be dealt out to its rows.
    """
    tensors = {
        name: value.detach().cpu() for name, value in batch.items() if isinstance(value, torch.Tensor) and value.ndim
    }
    if not tensors:
        raise WorkloadError("the model was fed no tensor with a batch dimension")
    first = next((tensors[name] for name in ("input_ids", "labels") if name in tensors), next(iter(tensors.values())))
    size = len(first)
    mask = tensors.get("attention_mask")
    rows = []
    for index in range(size):
        row: Sample = {}
        for name, value in tensors.items():
            if len(value) % size or (len(value) != size and not name.startswith(IMAGE_FIELDS)):
                raise WorkloadError(
                    f"the model was fed {name} of shape {tuple(value.shape)} for {size} rows; which part belongs to "
                    "which row cannot be told"
                )
            share = len(value) // size
            part = value[index * share : (index + 1) * share]
            row[name] = part if name.startswith(IMAGE_FIELDS) else part[0]
            if mask is not None and mask.ndim == 2 and value.shape[:2] == mask.shape:
                row[name] = row[name][mask[index].bool()]
        rows.append({name: value.clone() for name, value in row.items()})
    return rows
