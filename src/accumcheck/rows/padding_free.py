"""Padding-free batches: the samples of a micro-batch in one long row, separated by positions that start again.

transformers' ``DataCollatorWithFlattening`` and TRL's ``padding_free`` make them. The model's attention has to keep the
samples separate; the reference runs each sample alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from accumcheck.errors import UnsupportedError, UnsupportedProgramError
from accumcheck.rows.sample import Sample

POSITIONS = "position_ids"
BOUNDARIES = "cu_seq_lens_q"
"""Fields with the start of each sample and the end of the last, as flash attention needs them."""


def begin(batch: Mapping[str, Any]) -> list[int] | None:
    """Where samples begin in the only row of a batch; None if it has several rows or padding, or does not say."""
    ids, positions, bounds = (batch.get(name) for name in ("input_ids", POSITIONS, BOUNDARIES))
    mask = batch.get("attention_mask")
    if isinstance(mask, torch.Tensor) and not bool(mask.bool().all()):
        return None  # the positions of padding are 0 as well
    if not isinstance(ids, torch.Tensor) or ids.ndim != 2 or len(ids) != 1:
        return None
    if isinstance(bounds, torch.Tensor):
        return [int(bound) for bound in bounds.flatten()[:-1]]
    if isinstance(positions, torch.Tensor) and positions.shape == ids.shape:
        return [int(place) for place in (positions[0] == 0).nonzero().flatten()]
    return None


def samples_in(batch: Mapping[str, Any], starts: list[int], size: int) -> list[Sample]:
    """The samples of a padding-free batch, on the CPU, each with its positions, which some programs need.

    Args:
        batch: what the model was fed, fields of shape ``[1, length]``.
        starts: from `begin`.
        size: how many samples the split should have.

    Raises:
        UnsupportedError: there are more or fewer, or a field cannot be divided between them.
    """
    length = batch["input_ids"].shape[-1]
    if len(starts) != size:
        raise UnsupportedProgramError(
            f"a packed, padding-free batch: {len(starts)} texts were fed as one row of {length} tokens, but the "
            f"split has {size} rows; which texts share a row is not known, so rows differ between splits; "
            "pack without padding_free (TRL: packing_strategy: wrapped), or do not pack"
        )
    ends = [*starts[1:], length]
    told = {
        name: value for name, value in batch.items() if isinstance(value, torch.Tensor) and not is_description(name)
    }
    for name, value in told.items():
        if value.shape[:2] != (1, length):
            raise UnsupportedError(
                f"the model was fed {name} of shape {tuple(value.shape)} with {size} samples in one row of {length} "
                "tokens; which part belongs to which sample is not known, so there is no reference for a single sample"
            )
    return [
        {name: value[0, start:end].detach().cpu().clone() for name, value in told.items()}
        for start, end in zip(starts, ends, strict=True)
    ]


def is_description(name: str) -> bool:
    """Whether a field only says where samples begin and does not belong to a sample."""
    return name == "seq_idx" or name.startswith(("cu_seq_lens", "max_length_"))
