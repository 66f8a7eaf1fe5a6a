"""The rows of what a program feeds its model: told apart, known again, and kept for the reference.

A row is a sample. With packing that is a packed row, whichever texts share it; in a padding-free batch it is a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.images import images_of_rows
from accumcheck.stacks.programs.padding_free import POSITIONS, begin, samples_in
from accumcheck.workload.collate import IGNORED, IMAGE_FIELDS, Collator, Sample
from accumcheck.workload.fingerprint import fingerprint

ROW, PACKED, FLATTENED = "row", "packed row", "text of a padding-free row"
"""What is taken for a sample."""
FILE = "rows-{rank}.pt"
"""In a split's folder: what this process was fed, by the rows' numbers."""


class RowCollator(Collator):
    """A `Collator` that puts positions of several kinds together as the model takes them: ``[kinds, rows, length]``."""

    def __call__(self, rows: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Make one micro-batch of ``rows``."""
        kinds = [row[POSITIONS] for row in rows if POSITIONS in row and row[POSITIONS].ndim > row["input_ids"].ndim]
        if not kinds:
            return super().__call__(rows)
        batch = super().__call__([{name: value for name, value in row.items() if name != POSITIONS} for row in rows])
        longest = max(value.shape[-1] for value in kinds)
        padded = [torch.nn.functional.pad(value, (0, longest - value.shape[-1])) for value in kinds]
        return {**batch, POSITIONS: torch.stack(padded, dim=1)}


class Rows:
    """Gives each row a number that depends on its content alone, the same in every process and split.

    ``size``: the rows of a micro-batch; ``config``: the model's, once it is known; ``sample``: what is taken for one.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: dict[int, Sample] = {}
        self.config: Any = None
        self.sample = ROW

    def find(self, batch: Mapping[str, Any]) -> tuple[int, ...]:
        """The numbers of a batch's rows, which are kept.

        Raises:
            WorkloadError: a field of the batch cannot be dealt out to its rows, or it cannot be told what is a row.
        """
        starts = begin(batch) or []
        apart = self._size > 1 and len(starts) > 1
        if len(starts) > 1:
            self.sample = FLATTENED if apart else PACKED
        found = []
        for row in samples_in(batch, starts, self._size) if apart else rows_in(batch, self.config):
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
    """60 bits that tell a row from others: of its inputs, its images among them, and of its labels."""
    labels = row.get("labels")
    exact = "" if labels is None or labels.is_floating_point() else labels.long().numpy().tobytes().hex()
    images = fingerprint({name: value for name, value in row.items() if name.startswith(IMAGE_FIELDS)})
    text = f"{fingerprint(row)}:{images}:{exact}"
    return int(hashlib.blake2b(text.encode(), digest_size=8).hexdigest()[:15], 16)


def rows_in(batch: Mapping[str, Any], config: Any = None) -> list[Sample]:
    """The rows of a batch, on the CPU, without the padding that its ``attention_mask`` shows.

    Args:
        batch: what the model was fed.
        config: the model's, which knows the placeholders of images.

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
    images = images_of_rows(tensors, size, config)
    texts = {name: value for name, value in tensors.items() if not name.startswith(IMAGE_FIELDS)}
    # positions of several kinds, as Qwen2-VL's, are [kinds, rows, length]
    kinds = texts.pop(POSITIONS) if texts.get(POSITIONS, first).ndim > first.ndim else None
    for name, value in (*texts.items(), *([] if kinds is None else [(POSITIONS, kinds)])):
        if value.shape[value is kinds] != size:
            raise WorkloadError(
                f"the model was fed {name} of shape {tuple(value.shape)} for {size} rows; which part belongs to which "
                "row cannot be told, so there is no reference for a row by itself"
            )
    kept = _kept(texts)
    rows = []
    for index in range(size):
        row = {name: value[index] for name, value in texts.items()}
        if kept is not None:
            row = {
                name: value[kept[index]] if texts[name].shape[:2] == kept.shape else value
                for name, value in row.items()
            }
        if kinds is not None:
            row[POSITIONS] = kinds[:, index] if kept is None else kinds[:, index, kept[index]]
        rows.append({name: value.clone() for name, value in {**row, **images[index]}.items()})
    return rows


def _kept(texts: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
    """Which positions are not padding, shape ``[rows, length]``; None where rows have no length, or none is shown.

    Without a mask, copies of a row's last id that are not predicted are padding.
    """
    mask = texts.get("attention_mask")
    if mask is not None:
        return mask.bool() if mask.ndim == 2 else None
    ids, labels = texts.get("input_ids"), texts.get("labels")
    if ids is None or labels is None or ids.ndim != 2 or labels.shape != ids.shape:
        return None
    filled = (labels == IGNORED) & (ids == ids[:, -1:])
    return ~filled.flip(-1).cumprod(dim=-1).flip(-1).bool()
