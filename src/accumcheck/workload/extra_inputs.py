"""Inputs that some models take in addition to tokens, for example the position of each token on a page.

They are recognised by their names in a model's forward, which are the same in all models of transformers.
"""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

_PAGE = 1000
"""The size of a page on which boxes are given, in units along each side."""
_PROMPT = 4


def extra_inputs(model: PreTrainedModel, sample: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Further inputs of a sample with ``input_ids`` of shape ``[length]``, or ``[choices, length]``; else empty.

    Args:
        model: the parameters of its forward determine which inputs it takes.
        sample: the sample so far; it determines the random numbers.
    """
    ids = sample.get("input_ids")
    if ids is None or ids.ndim not in (1, 2):
        return {}
    takes = inspect.signature(model.forward).parameters
    found: dict[str, torch.Tensor] = {}
    if "global_attention_mask" in takes:
        mask = torch.zeros_like(ids)
        mask[..., 0] = 1
        found["global_attention_mask"] = mask
    if ids.ndim == 2:
        return found
    if "bbox" in takes:
        found["bbox"] = _boxes(model, ids)
    if "qformer_input_ids" in takes:
        found["qformer_input_ids"] = ids[-_PROMPT:].clone()
        found["qformer_attention_mask"] = torch.ones(_PROMPT, dtype=torch.long)[: len(ids)]
    return found


def _boxes(model: PreTrainedModel, ids: torch.Tensor) -> torch.Tensor:
    """``[length, 4]``: left, top, right and bottom of each token, whole numbers or parts of the page."""
    seed = int.from_bytes(hashlib.sha256(ids.numpy().tobytes()).digest()[:8], "little") >> 1
    generator = torch.Generator().manual_seed(seed)
    positions = getattr(model.config, "max_2d_position_embeddings", None)
    first = torch.randint(_PAGE // 2, (len(ids), 2), generator=generator)
    boxes = torch.cat([first, first + torch.randint(1, _PAGE // 2, (len(ids), 2), generator=generator)], dim=-1)
    if positions is None:  # without a table of positions, they are computed from numbers
        return (boxes / _PAGE).to(model.dtype)
    return boxes.clamp(max=int(positions) - 1)
