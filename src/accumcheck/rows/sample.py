"""What a sample is, wherever one is passed: one row of a batch, without the batch dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import torch

Sample: TypeAlias = "dict[str, torch.Tensor]"
"""``input_ids``, ``labels``, ``attention_mask`` of shape ``[length]`` (or what the task has instead: a label of shape
``[]``, ids of shape ``[choices, length]``, ``input_features``), and image fields as a processor gives them for one row,
with their own first dimension over images or patches."""

IGNORED = -100
"""The label of a position that is not predicted (the ``ignore_index`` of torch's cross entropy)."""

IMAGE_FIELDS = ("pixel_", "image_")
"""Begin the names of image fields."""
