"""Shrink a vision tower to four patches (times the number that it merges)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accumcheck.workload.determinism import sub_configs

if TYPE_CHECKING:
    from transformers import PretrainedConfig

PATCH = 4  # pixels along a side
SIDE = 2  # image features along a side
LARGEST = 64  # pixels along a side, for towers without patches: five convolutions with stride 2 leave two positions

_MERGES = ("spatial_merge_size", "merge_size", "scale_factor", "downsample_factor")
_RATIOS = ("downsample_ratio", "pixel_shuffle_ratio")


def shrink_vision(config: PretrainedConfig) -> None:
    """Reduce patches to 4 x 4 pixels and images to two features along each side, in every tower, in place.

    The images of a tower without patches become at most 64 pixels large. Windows and grids in pixels shrink in
    proportion. Tables of positions shrink to the size that the image needs.
    """
    side = SIDE * _merged(config)
    image = side * PATCH
    for part in sub_configs(config):
        _shrink_tower(part, side)
        if getattr(part, "image_grid_pinpoints", None):
            part.image_grid_pinpoints = [[image, 2 * image], [2 * image, image]]
        if isinstance(getattr(part, "mm_tokens_per_image", None), int):
            part.mm_tokens_per_image = SIDE * SIDE


def _shrink_tower(part: PretrainedConfig, side: int) -> None:
    fields = vars(part)
    tube = fields.get("tubelet_size")
    if isinstance(tube, (list, tuple)) and len(tube) == 3 and all(isinstance(one, int) for one in tube):
        _shrink_video(part, list(tube), side)
        return
    patch = fields.get("patch_size")
    shrink_image(part)
    if not isinstance(patch, int) or not {"image_size", "num_channels", "in_channels", "in_chans"} & set(fields):
        return
    small = min(patch, PATCH)
    part.patch_size = small
    for name, value in list(fields.items()):
        if name in ("image_size", "crop_size", "resolution") and value:
            setattr(part, name, _like(value, side * small))
        elif name == "window_size" and isinstance(value, int) and value % patch == 0 and value > patch:
            part.window_size = value // patch * small
        elif name in ("num_position_embeddings", "num_positions") and isinstance(value, int):
            setattr(part, name, side * side)


def shrink_image(part: PretrainedConfig) -> None:
    """Reduce the images of a tower without patches to at most 64 pixels along each side, in place."""
    fields = vars(part)
    size = fields.get("image_size")
    if size is None or fields.get("patch_size") is not None or "tubelet_size" in fields:
        return
    sides = list(size) if isinstance(size, (list, tuple)) else [size]
    if all(isinstance(one, int) for one in sides) and max(sides, default=0) > LARGEST:
        part.image_size = _like(size, LARGEST)


def _shrink_video(part: PretrainedConfig, tube: list[int], side: int) -> None:
    """Videos of two patches in time; patches with a size in time, height and width."""
    small = [tube[0], *(min(one, PATCH) for one in tube[1:])]
    part.tubelet_size = type(part.tubelet_size)(small)
    for name, value in list(vars(part).items()):
        if name == "image_size" and value:
            setattr(part, name, _like(value, side * small[-1]))
        elif name == "patch_size" and value:
            setattr(part, name, _like(value, small[-1]))
        elif name == "num_frames" and isinstance(value, int):
            setattr(part, name, min(value, 2 * small[0]))


def _merged(config: PretrainedConfig) -> int:
    """The number of patches along a side that become one feature, wherever the config has it."""
    found = [1]
    for part in sub_configs(config):
        fields = vars(part)
        found += [fields[name] for name in _MERGES if isinstance(fields.get(name), int)]
        found += [
            round(1 / fields[name]) for name in _RATIOS if isinstance(fields.get(name), float) and fields[name] > 0
        ]
        if "output_channels" in fields and "global_attn_indexes" in fields:  # SAM's neck, then two strided convolutions
            found.append(4)
    return max(found)


def _like(old: Any, new: int) -> Any:
    """The new size, in the form of the old one. A side that is a multiple of the other one stays so."""
    if not isinstance(old, (list, tuple)):
        return new
    least = min(old, default=0)
    return type(old)(new * (side // least if least > 0 and side % least == 0 else 1) for side in old)
