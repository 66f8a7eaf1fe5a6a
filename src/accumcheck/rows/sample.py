"""The form of a sample: one row of a batch, without the batch dimension."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Sample: TypeAlias = "dict[str, Any]"
"""``input_ids``, ``labels``, ``attention_mask`` of shape ``[length]`` (or what the task has instead: a label of shape
``[]``, ids of shape ``[choices, length]``, ``input_features``), and image fields as a processor makes them for one row,
with their own first dimension over images or patches. Inputs of a program other than tensors are a `Whole`, an `Entry`,
or a dictionary of these."""

IGNORED = -100
"""The label of a position that is not predicted (the ``ignore_index`` of torch's cross entropy)."""

IMAGE_FIELDS = ("pixel_", "image_", "high_res_pixel_", "spatial_shapes", "target_sizes")
"""Prefixes of image fields."""


@dataclass(frozen=True)
class Whole:
    """A value fed once for all rows of a micro-batch: a number, a flag, a string, a constant tensor."""

    value: Any


@dataclass(frozen=True)
class Entry:
    """One row's entry of a list, a tuple or a numpy array, such as the targets of one image."""

    value: Any
    sequence: Literal["list", "tuple", "array"]


KEPT_KINDS = (Whole, Entry)
"""The types, besides tensors and plain values, that are allowed when kept rows are read."""
