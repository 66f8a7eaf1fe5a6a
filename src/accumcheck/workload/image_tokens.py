"""The token ids for images in a text, and consistent numbers about images in a config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.workload.image_layouts import pair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from transformers import PretrainedConfig

TOKEN_NAMES = (
    "image_token_id",
    "image_token_index",
    "image_patch_id",
    "media_placeholder_token_id",
    "video_token_id",
    "video_token_index",
)
"""The names of the token id of an image feature in different releases and architectures."""
WRAPPERS = (
    ("vision_start_token_id", "vision_end_token_id"),
    ("image_start_token_id", "image_end_token_id"),
    ("im_start_id", "im_end_id"),
    ("boi_token_id", "eoi_token_id"),
)
"""Names of the ids before and after an image."""

# CLS tokens in front of the patches, by the vision tower's model type.
_WITH_CLASS_TOKEN = frozenset({"clip_vision_model", "intern_vit", "dinov2", "chinese_clip_vision_model"})


def image_token_id(config: PretrainedConfig) -> int | None:
    """The token id of an image feature, under any of its names."""
    for name in TOKEN_NAMES:
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return None


def sound_token_id(config: PretrainedConfig) -> int | None:
    """The token id of a sound feature, if the config has one."""
    names = ("audio_token_id", "audio_token_index")
    return next((value for name in names if isinstance(value := getattr(config, name, None), int)), None)


def wrappers_of(config: PretrainedConfig) -> list[tuple[int, int]]:
    """The pairs of token ids that may enclose an image."""
    found = [(getattr(config, start, None), getattr(config, end, None)) for start, end in WRAPPERS]
    return [(start, end) for start, end in found if isinstance(start, int) and isinstance(end, int)]


def llava_features(config: PretrainedConfig) -> int | None:
    """The features per image of a LLaVA: one per patch, plus the class token if it is selected (``full``)."""
    vision = getattr(config, "vision_config", None)
    strategy = getattr(config, "vision_feature_select_strategy", None)
    if vision is None or strategy is None or not hasattr(vision, "patch_size") or not hasattr(vision, "image_size"):
        return None
    (height, width), (down, across) = pair(vision.image_size), pair(vision.patch_size)
    patches = (height // down) * (width // across)
    class_token = vision.model_type in _WITH_CLASS_TOKEN
    return patches + (class_token if strategy == "full" else class_token - 1)


def fit_image_tokens(config: PretrainedConfig, given: Mapping[str, Any]) -> None:
    """Make the image token and image length of an inline or shrunk config fit its vocabulary and vision tower.

    Releases up to 4.46 assume one unexpanded token per image if there are fewer image tokens than ``image_seq_length``,
    so this field must have the true number. A default image token beyond a small vocabulary must be moved into it.

    Args:
        config: the config, changed in place.
        given: the fields that the user wrote. They are not changed.

    Raises:
        WorkloadError: the user's image token is outside the vocabulary.
    """
    features = llava_features(config)
    if features is None:
        return
    if hasattr(config, "image_seq_length") and "image_seq_length" not in given:
        config.image_seq_length = features
    vocabulary, token = getattr(config.text_config, "vocab_size", None), image_token_id(config)
    if vocabulary is None or token is None or token < vocabulary:
        return
    if "image_token_index" in given or "image_token_id" in given:
        raise WorkloadError(f"model.config: the image token {token} is outside the vocabulary of {vocabulary} ids")
    config.image_token_index = vocabulary - 1
