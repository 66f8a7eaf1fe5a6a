"""Guess the shapes of a model's image inputs from their names and from the numbers in its config.

No model is listed here. The name of an input shows whether it is a grid, a mask, a table of positions and so on. Pixels
are whole images, tiles or patches. Running the model shows which of them it takes, see
`accumcheck.workload.image_search`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.image_layouts import Layout, pair

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FLAT_PATCHES = "flattened_patches"
"""Patches that begin with their row and their column."""
_SIDE = 2
"""The number of features along each side of an image."""
_MERGES = (
    "spatial_merge_size",
    "merge_size",
    "merge_kernel_size",
    "scale_factor",
    "downsample_factor",
    "adapter_merge_size",
    "pooling_kernel_size",
)
_FRAMES = ("temporal_patch_size", "patch_temporal", "tubelet_size")


@dataclass(frozen=True, slots=True)
class Geometry:
    """One image: ``rows`` x ``columns`` patches of ``patch`` x ``patch`` pixels, in ``frames`` frames."""

    channels: int
    patch: int
    rows: int
    columns: int
    merge: int
    frames: int

    @property
    def height(self) -> int:
        """The size in pixels."""
        return self.rows * self.patch

    @property
    def width(self) -> int:
        """The size in pixels."""
        return self.columns * self.patch

    @property
    def patches(self) -> int:
        """The number of patches of the image."""
        return self.rows * self.columns


def guessed_layouts(model: PreTrainedModel) -> Iterator[Layout]:
    """Layouts that may fit the model, the most common first: a whole image, tiles, or patches."""
    takes = frozenset(inspect.signature(model.forward).parameters)
    pixels = next((name for name in ("pixel_values", FLAT_PATCHES, "image_patches") if name in takes), None)
    if pixels is None:
        return
    for one in _geometries(model.config):
        for shape in _shapes(one, takes):
            yield _layout(one, shape, pixels, takes)


def _geometries(config: Any) -> Iterator[Geometry]:
    """Geometries from the vision tower: its own image size first, then few patches, then the sizes of its windows."""
    vision = getattr(config, "vision_config", None) or config
    parts = [vars(part) for part in sub_configs(vision)] + [vars(part) for part in sub_configs(config)]
    channels = _number(parts, "num_channels", "in_channels", "in_chans") or 3
    patch = _number(parts, "patch_size", "patch_stride", "spatial_scale_factor") or 4
    merges = sorted({value for part in parts for name in _MERGES if (value := _whole(part.get(name)))} | {1})
    frames = _number(parts, *_FRAMES) or 1
    merge = merges[-1]
    sizes = [pair(part["image_size"]) for part in parts if part.get("image_size")]
    seen = []
    for height, width in sizes:
        seen.append(Geometry(channels, patch, max(1, height // patch), max(1, width // patch), merge, frames))
    for side in (_SIDE * merge, _SIDE * merge * merge, 8 * merge):
        seen.append(Geometry(channels, patch, side, side, merge, frames))
    yield from dict.fromkeys(seen)


def _number(parts: list[dict[str, Any]], *names: str) -> int | None:
    return next((found for part in parts for name in names if (found := _whole(part.get(name)))), None)


def _whole(value: Any) -> int | None:
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _shapes(one: Geometry, takes: frozenset[str]) -> Iterator[tuple[int, ...]]:
    """Possible shapes of one image's pixels. The first number is multiplied by the number of images of a sample."""
    area, values = one.patch * one.patch, one.channels * one.patch * one.patch
    whole = (1, one.channels, one.height, one.width)
    if FLAT_PATCHES in takes:
        yield (one.patches, 2 + values)
        return
    if any(name.endswith(("grid_thw", "grid_hw")) for name in takes):
        yield (one.patches, values * one.frames)
        yield (one.patches, values)
        yield (one.patches, one.channels, one.patch, one.patch)
        yield (one.patches, one.channels, one.frames, one.patch, one.patch)
        yield (1, one.patches, one.channels, one.patch, one.patch)
    if takes & {"spatial_shapes", "image_position_ids", "image_patches", "image_grids"}:
        yield (1, one.patches, values)
        yield (1, 1, one.patches, values)
    if "target_sizes" in takes:
        yield (1, one.channels, one.patch, one.patches * one.patch)
    yield whole
    yield (1, *whole)
    yield (1, 1, *whole)
    yield (1, one.frames, *whole[1:])
    yield (1, one.patches, values)
    yield (1, one.patches, one.frames, one.patch, one.patch, one.channels)
    yield (one.patches, area * one.channels)


def _layout(one: Geometry, shape: tuple[int, ...], pixels: str, takes: frozenset[str]) -> Layout:
    grid = torch.tensor([[row, column] for row in range(one.rows) for column in range(one.columns)])
    spatial = shape[-2:] if shape[-2:] == (one.height, one.width) else (shape[1],) if len(shape) > 1 else ()
    middle = shape[1:-3] if len(spatial) == 2 else ()
    by_name: dict[str, torch.Tensor | tuple[int, ...]] = {
        "image_grid_thw": torch.tensor([[1, one.rows, one.columns]]),
        "image_grid_hw": torch.tensor([[one.rows, one.columns]]),
        "image_sizes": torch.tensor([[one.height, one.width]]),
        "image_merge_sizes": torch.tensor([one.merge]),
        "spatial_shapes": torch.tensor([[one.rows, one.columns]]),
        "target_sizes": torch.tensor([[one.rows, one.columns]]),
        "image_position_ids": grid.flip(-1)[None],
        "pixel_attention_mask": torch.ones(1, *middle, *spatial, dtype=torch.long),
        "pixel_mask": torch.ones(1, *spatial, dtype=torch.long),
        "aspect_ratio_ids": torch.tensor([[1]]),
        "high_res_pixel_values": (1, one.channels, one.height, one.width),
    }

    def layout(images: int) -> dict[str, torch.Tensor | tuple[int, ...]]:
        fields: dict[str, torch.Tensor | tuple[int, ...]] = {pixels: (images * shape[0], *shape[1:])}
        for name in by_name.keys() & takes:
            value = by_name[name]
            if isinstance(value, tuple):
                fields[name] = (images * value[0], *value[1:])
            else:
                fields[name] = value.repeat(images, *[1] * (value.ndim - 1))
        return fields

    return layout
