"""A vision tower that sees four patches (times what it merges)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig

PATCH = 4
SIDE = 2  # features along each side of an image


def shrink_vision(part: PretrainedConfig) -> None:
    """Reduce patches to 4 x 4 pixels and images to two (merged) patches along each side, in place.

    Windows and grids that are measured in pixels shrink with the patch; tables of positions to what the image needs.
    """
    for name, value in list(vars(part).items()):
        if name == "image_grid_pinpoints" and value:
            part.image_grid_pinpoints = [[2 * SIDE * PATCH, SIDE * PATCH], [SIDE * PATCH, 2 * SIDE * PATCH]]
        elif name == "mm_tokens_per_image" and isinstance(value, int):
            part.mm_tokens_per_image = SIDE * SIDE
    patch = getattr(part, "patch_size", None)
    if not isinstance(patch, int) or patch < 1 or not _sees(part):
        return
    small = min(patch, PATCH)
    side = SIDE * _merged(part)
    part.patch_size = small
    for name, value in list(vars(part).items()):
        if name in ("image_size", "crop_size", "resolution") and value:
            setattr(part, name, _like(value, side * small))
        elif name == "window_size" and isinstance(value, int) and value % patch == 0 and value > patch:
            part.window_size = value // patch * small
        elif name in ("num_position_embeddings", "num_positions") and isinstance(value, int):
            setattr(part, name, side * side)


def _sees(part: PretrainedConfig) -> bool:
    return any(hasattr(part, name) for name in ("image_size", "num_channels", "in_channels", "in_chans"))


def _merged(part: PretrainedConfig) -> int:
    """Patches along a side that become one feature."""
    for name in ("spatial_merge_size", "merge_size"):
        value = getattr(part, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return 2


def _like(old: Any, new: int) -> Any:
    return type(old)([new] * len(old)) if isinstance(old, (list, tuple)) else new
