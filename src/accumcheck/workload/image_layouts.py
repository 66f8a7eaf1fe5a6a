"""The shapes of the image inputs of one sample, by architecture."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Layout: TypeAlias = "Callable[[int], dict[str, torch.Tensor | tuple[int, ...]]]"
"""Maps a number of images to the image fields of a sample: the shape of random values, or the values."""

_GRID_SIDE = 2  # features along each side of an image of any size


def layout_of(model: PreTrainedModel) -> Layout | None:
    """Choose the layout from the inputs of the model's forward and its vision config; None if none fits."""
    vision = getattr(model.config, "vision_config", None)
    takes = inspect.signature(model.forward).parameters
    if vision is None or "pixel_values" not in takes:
        return None
    if "image_grid_thw" in takes:
        return _flat_patches(vision)
    if not getattr(vision, "image_size", None):
        return None
    channels = getattr(vision, "num_channels", 3)
    height, width = pair(vision.image_size)
    if getattr(model.config, "image_grid_pinpoints", None) and "image_sizes" in takes:
        return _tiles(model, channels, height, width)
    if "pixel_attention_mask" in takes:
        return lambda images: {
            "pixel_values": (1, images, channels, height, width),
            "pixel_attention_mask": torch.ones(1, images, height, width, dtype=torch.long),
        }
    if "image_sizes" in takes and vision.model_type == "pixtral":
        return lambda images: {
            "pixel_values": (images, channels, height, width),
            "image_sizes": torch.tensor([[height, width]] * images),
        }
    return lambda images: {"pixel_values": (images, channels, height, width)}


def _tiles(model: PreTrainedModel, channels: int, height: int, width: int) -> Layout | None:
    """LLaVA-NeXT: ``[images, tiles, C, H, W]``: the whole image first, then the tiles of the closest grid."""
    count = getattr(sys.modules[type(model).__module__], "image_size_to_num_patches", None)
    if count is None:
        return None
    size = torch.tensor([height, width])
    tiles = int(count(image_size=size, grid_pinpoints=model.config.image_grid_pinpoints, patch_size=height))
    return lambda images: {
        "pixel_values": (images, tiles, channels, height, width),
        "image_sizes": size.repeat(images, 1),
    }


def _flat_patches(vision: Any) -> Layout | None:
    """Qwen-VL: ``[patches of all images, values of a patch]``, and the grid of each image: frames, rows, columns."""
    patch = getattr(vision, "patch_size", None)
    if not isinstance(patch, int):
        return None
    side = _GRID_SIDE * int(getattr(vision, "spatial_merge_size", 1))
    channels = getattr(vision, "in_channels", None) or getattr(vision, "in_chans", None) or 3
    values = channels * int(getattr(vision, "temporal_patch_size", 1)) * patch * patch
    return lambda images: {
        "pixel_values": (images * side * side, values),
        "image_grid_thw": torch.tensor([[1, side, side]] * images),
    }


def pair(size: Any) -> tuple[int, int]:
    """Height and width from a number or a pair."""
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
