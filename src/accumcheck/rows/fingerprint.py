"""Which samples a model was fed, recognised from the tensors themselves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accumcheck.rows.sample import Sample

_COARSE = 32  # float features are rounded to multiples of 1/32, so that a cast to bfloat16 rarely moves them


def fingerprint(row: Mapping[str, torch.Tensor]) -> str:
    """Identify one row without batch dimension, whatever its padding, device and float dtype.

    If there are ``input_ids``, they are the identity, without positions whose ``attention_mask`` is 0; otherwise all
    float features except labels, coarsely rounded and without the zeros at their end.
    """
    if "input_ids" in row:
        ids, mask = row["input_ids"].detach().cpu(), row.get("attention_mask")
        if mask is not None and mask.shape == ids.shape:
            ids = ids[mask.detach().cpu().bool()]
        return _digest(ids.long())
    tensors = {name: value for name, value in sorted(row.items()) if isinstance(value, torch.Tensor)}
    floats = [value for name, value in tensors.items() if value.is_floating_point() and "label" not in name]
    return _digest(torch.cat([_coarse(value) for value in floats])) if floats else ""


def _coarse(values: torch.Tensor) -> torch.Tensor:
    """Whole numbers, flat, up to the last that is not 0: padding may follow."""
    rounded = (values.detach().cpu().flatten().double() * _COARSE).round().long()
    kept = rounded.nonzero()
    return rounded[: int(kept[-1]) + 1] if len(kept) else rounded[:0]


def _digest(values: torch.Tensor) -> str:
    return hashlib.blake2b(values.contiguous().numpy().tobytes(), digest_size=16).hexdigest()


def rows_of(batch: Mapping[str, torch.Tensor]) -> list[str]:
    """The fingerprints of all rows of a batch with batch dimension, in order.

    Fields whose first dimension is not the batch's (images of several rows) are left out.
    """
    tensors = {name: value for name, value in batch.items() if isinstance(value, torch.Tensor) and value.ndim > 0}
    if not tensors:
        return []
    size = len(tensors["input_ids"] if "input_ids" in tensors else next(iter(tensors.values())))
    rowwise = {name: value.detach().cpu() for name, value in tensors.items() if len(value) == size}
    return [fingerprint({name: value[row] for name, value in rowwise.items()}) for row in range(size)]


class SampleIndex:
    """Recognises the samples of a workload in a model's inputs."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._known = {fingerprint(sample): index for index, sample in enumerate(samples)}
        texts = [sample["input_ids"] for sample in samples if "input_ids" in sample]
        self._lengths = sorted({ids.shape[-1] for ids in texts}, reverse=True)

    def find(self, batch: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
        """The sample index of every row of a batch, -1 for a row that is not a sample.

        Without an ``attention_mask``, a row also counts as a sample if it is one plus copies of a single id at an end.
        """
        found = [self._known.get(row, -1) for row in rows_of(batch)]
        if "input_ids" in batch and -1 in found:
            ids = batch["input_ids"].detach().cpu()
            found = [index if index >= 0 else self._unpadded(row) for index, row in zip(found, ids, strict=True)]
        return tuple(found)

    def join(self, fed: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """The samples of a micro-batch that several forwards were fed: all of them, one after the other."""
        return tuple(index for rows in fed for index in rows)

    def _unpadded(self, ids: torch.Tensor) -> int:
        """``ids``: ``[length]``, or ``[choices, length]``."""
        full = ids.shape[-1]
        for length in self._lengths:
            right, left = (ids[..., :length], ids[..., length:]), (ids[..., full - length :], ids[..., : full - length])
            for kept, padding in (right, left):
                if 0 < length < full and bool((padding == padding.flatten()[0]).all()):
                    index = self._known.get(fingerprint({"input_ids": kept}), -1)
                    if index >= 0:
                        return index
        return -1
