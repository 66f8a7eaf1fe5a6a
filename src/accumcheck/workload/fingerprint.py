"""Which samples a model was fed, told from the tensors themselves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accumcheck.workload.collate import Sample

_COARSE = 32  # float features are rounded to multiples of 1/32, so that a cast to bfloat16 rarely moves them


def fingerprint(row: Mapping[str, torch.Tensor]) -> str:
    """Identify one row without batch dimension, whatever its padding, device and float dtype.

    Where there are ``input_ids`` they are the identity, without the positions whose ``attention_mask`` is 0; else all
    float features are, coarsely rounded.
    """
    if "input_ids" in row:
        ids, mask = row["input_ids"].detach().cpu(), row.get("attention_mask")
        if mask is not None and mask.shape == ids.shape:
            ids = ids[mask.detach().cpu().bool()]
        return _digest(ids.long())
    floats = [row[name].detach().cpu().double() for name in sorted(row) if row[name].is_floating_point()]
    if not floats:
        return ""
    return _digest((torch.cat([value.flatten() for value in floats]) * _COARSE).round().long())


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
    """Finds the samples of a workload again in what a model was fed."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._known = {fingerprint(sample): index for index, sample in enumerate(samples)}
        self._lengths = sorted({len(sample["input_ids"]) for sample in samples if "input_ids" in sample}, reverse=True)

    def find(self, batch: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
        """The sample index of every row of a batch, -1 for a row that is no sample.

        Where the ``attention_mask`` does not tell, a row counts as a sample followed or preceded by copies of one id.
        """
        found = [self._known.get(row, -1) for row in rows_of(batch)]
        if "input_ids" in batch and -1 in found:
            ids = batch["input_ids"].detach().cpu()
            found = [index if index >= 0 else self._unpadded(row) for index, row in zip(found, ids, strict=True)]
        return tuple(found)

    def _unpadded(self, ids: torch.Tensor) -> int:
        for length in self._lengths:
            for kept, padding in ((ids[:length], ids[length:]), (ids[len(ids) - length :], ids[: len(ids) - length])):
                if 0 < length < len(ids) and bool((padding == padding[0]).all()):
                    index = self._known.get(fingerprint({"input_ids": kept}), -1)
                    if index >= 0:
                        return index
        return -1
