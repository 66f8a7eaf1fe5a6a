"""What a sample is, wherever one is passed: one row of a batch, without the batch dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Sample: TypeAlias = "dict[str, Any]"
"""``input_ids``, ``labels``, ``attention_mask`` of shape ``[length]`` (or what the task has instead: a label of shape
``[]``, ids of shape ``[choices, length]``, ``input_features``), and image fields as a processor gives them for one row,
with their own first dimension over images or patches. What a program feeds beside tensors is a `Whole`, an `Entry`, or
a dictionary of the same."""

IGNORED = -100
"""The label of a position that is not predicted (the ``ignore_index`` of torch's cross entropy)."""

IMAGE_FIELDS = ("pixel_", "image_", "high_res_pixel_", "spatial_shapes", "target_sizes")
"""Begin the names of image fields."""


@dataclass(frozen=True)
class Whole:
    """What a model was fed once for all rows of a micro-batch: a number, a flag, a string, a constant tensor."""

    value: Any


@dataclass(frozen=True)
class Entry:
    """One row's entry of a list, a tuple or a numpy array, such as the targets of one image."""

    value: Any
    sequence: Literal["list", "tuple", "array"]


KEPT_KINDS = (Whole, Entry)
"""The kinds of values, besides tensors and plain ones, that kept rows may have: those that reading them allows."""
