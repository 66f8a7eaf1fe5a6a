"""Makes a micro-batch from a program's rows, as the program would have fed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.fields import entries_of
from accumcheck.rows.padding import MASK
from accumcheck.rows.padding_free import POSITIONS
from accumcheck.rows.pairs import as_rows, half, is_pair
from accumcheck.rows.sample import Entry, Sample, Whole

PADDED_LEFT = ("prompt_", "prompts")
"""Prefixes of fields that TRL pads on the left, since a completion from another field follows."""


class RowCollator(Collator):
    """A `Collator` that makes the same batch of rows as the program would.

    Positions of several kinds are ``[kinds, rows, length]``, prompts in a separate field are padded on the left,
    and pairs are all their chosen rows before all their rejected ones. Whole values stay whole, and lists stay
    lists.
    """

    def __call__(self, rows: Sequence[Sample]) -> dict[str, Any]:
        """Make one micro-batch of ``rows``."""
        if rows and is_pair(rows[0]):
            return {**self(as_rows(rows)), **self._together([half(row, "") for row in rows])}
        return self._together(rows)

    def _together(self, rows: Sequence[Sample]) -> dict[str, Any]:
        names = list(dict.fromkeys(name for row in rows for name in row))
        tensors: list[dict[str, torch.Tensor]] = [{} for _ in rows]
        batch: dict[str, Any] = dict.fromkeys(names)
        for name in names:
            values = [row.get(name) for row in rows]
            first = next(value for row, value in zip(rows, values, strict=True) if name in row)
            if isinstance(first, torch.Tensor):
                for tensor, row in zip(tensors, rows, strict=True):
                    if name in row:
                        tensor[name] = row[name]
                    elif MASK in name and (seen := _shown(name, row)) is not None:
                        tensor[name] = seen
            elif isinstance(first, Whole):
                batch[name] = first.value
            elif isinstance(first, Entry):
                batch[name] = entries_of([value for value in values if isinstance(value, Entry)])
            else:
                batch[name] = self._together([value for value in values if isinstance(value, dict)])
        return {**batch, **self._stacked(tensors)}

    def _stacked(self, rows: Sequence[dict[str, torch.Tensor]]) -> dict[str, Any]:
        """The fields with one tensor per row."""
        if not any(rows):
            return {}
        left = [name for name in rows[0] if name.startswith(PADDED_LEFT) and rows[0][name].ndim]
        if left:
            turned = [{**row, **{name: row[name].flip(0) for name in left}} for row in rows]
            batch = super().__call__(turned)
            return {**batch, **{name: batch[name].flip(1) for name in left}}
        kinds = [row[POSITIONS] for row in rows if _has_kinds(row)]
        if not kinds:
            return super().__call__(rows)
        batch = super().__call__([{name: value for name, value in row.items() if name != POSITIONS} for row in rows])
        longest = max(value.shape[-1] for value in kinds)
        padded = [torch.nn.functional.pad(value, (0, longest - value.shape[-1])) for value in kinds]
        return {**batch, POSITIONS: torch.stack(padded, dim=1)}


def _has_kinds(row: Mapping[str, torch.Tensor]) -> bool:
    return POSITIONS in row and "input_ids" in row and row[POSITIONS].ndim > row["input_ids"].ndim


def _shown(mask: str, row: Sample) -> torch.Tensor | None:
    """The mask for a row that has none because its micro-batch had no padding."""
    ids = row.get(mask.replace(MASK, "input_ids"))
    return torch.ones_like(ids, dtype=torch.long) if isinstance(ids, torch.Tensor) else None
