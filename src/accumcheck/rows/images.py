"""Which images belong to which row: processors return a batch's images in one tensor without a row dimension."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import torch

from accumcheck.errors import UnsupportedError
from accumcheck.rows.sample import IMAGE_FIELDS, Sample

GRID = "image_grid_thw"
"""Patches of each image in time, height and width, if images are cut into one long row of patches (Qwen2-VL)."""


def images_of_rows(batch: Mapping[str, torch.Tensor], size: int, config: Any) -> list[Sample]:
    """The image fields of every row, each with a first dimension over that row's images (or patches).

    A row's placeholders in ``input_ids`` give its number of images: each image has as many placeholders as
    tokens.

    Args:
        batch: what the model was fed.
        size: its rows.
        config: the model's, with the id of the placeholder. None if it has none.

    Raises:
        UnsupportedError: it is not known which part of a field belongs to which row.
    """
    fields = {name: value for name, value in batch.items() if name.startswith(IMAGE_FIELDS)}
    if not fields:
        return [{} for _ in range(size)]
    grid = fields.get(GRID)
    images = len(grid if grid is not None else fields.get("image_sizes", next(iter(fields.values()))))
    counts = _images_in(batch, size, images, config)
    if counts is None:
        raise _unclear(fields, size)
    ends = list(accumulate(counts))
    # the patches of the images before each
    patches = [0, *accumulate(grid.prod(dim=-1).tolist())] if grid is not None else None
    rows = []
    for start, end in zip([0, *ends], ends, strict=False):
        row: Sample = {}
        for name, value in fields.items():
            if len(value) == images:
                part = value[start:end]
            elif patches is not None and len(value) == patches[-1]:
                part = value[patches[start] : patches[end]]
            else:
                raise _unclear(fields, size)
            if len(part):
                row[name] = part
        rows.append(row)
    return rows


def _images_in(batch: Mapping[str, torch.Tensor], size: int, images: int, config: Any) -> list[int] | None:
    """How many of the images each row has; None if that is not known."""
    ids = batch.get("input_ids")
    placeholder = next(
        (number for name in ("image_token_id", "image_token_index") if (number := getattr(config, name, None))), None
    )
    if ids is None or placeholder is None:
        return [1] * size if images == size else None
    tokens = (ids == placeholder).sum(dim=-1).tolist()
    if images == size and all(tokens):
        return [1] * size
    grid = batch.get(GRID)
    if grid is not None:
        merged = getattr(getattr(config, "vision_config", None), "spatial_merge_size", 1) ** 2
        each = [patches // merged for patches in grid.prod(dim=-1).tolist()]
    elif sum(tokens) % images == 0:
        each = [sum(tokens) // images] * images
    else:
        return None
    return _dealt(tokens, each)


def _dealt(tokens: list[int], each: list[int]) -> list[int] | None:
    """How many images, in their order, fill each row's placeholders exactly.

    Args:
        tokens: placeholders of every row.
        each: placeholders of every image.
    """
    counts, left = [], list(each)
    for due in tokens:
        count = 0
        while due > 0 and left:
            due -= left.pop(0)
            count += 1
        if due != 0:
            return None
        counts.append(count)
    return None if left else counts


def _unclear(fields: Mapping[str, torch.Tensor], size: int) -> UnsupportedError:
    shapes = ", ".join(f"{name} of shape {tuple(value.shape)}" for name, value in fields.items())
    return UnsupportedError(
        f"the model was fed {shapes} for {size} rows; which part belongs to which row is not known, so there is no "
        "reference for a single row. Give every row the same number of images, or train on text only"
    )
