"""The token ids that stand for an image in a text, and that a config's numbers about images agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.workload.image_layouts import pair

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from transformers import PretrainedConfig

TOKEN_NAMES = ("image_token_id", "image_token_index", "image_patch_id", "media_placeholder_token_id")
"""Names that releases and architectures gave to the id that stands for an image's feature."""
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
    """The id that stands for an image feature, under any of the names that releases gave it."""
    for name in TOKEN_NAMES:
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return None


def sound_token_id(config: PretrainedConfig) -> int | None:
    """The id that stands for a feature of a sound, where the config names one."""
    names = ("audio_token_id", "audio_token_index")
    return next((value for name in names if isinstance(value := getattr(config, name, None), int)), None)


def wrappers_of(config: PretrainedConfig) -> list[tuple[int, int]]:
    """The pairs of ids that may stand around an image."""
    found = [(getattr(config, start, None), getattr(config, end, None)) for start, end in WRAPPERS]
    return [(start, end) for start, end in found if isinstance(start, int) and isinstance(end, int)]


def llava_features(config: PretrainedConfig) -> int | None:
    """Features per image of a LLaVA: one per patch, and the class token where it is selected (``full``)."""
    vision = getattr(config, "vision_config", None)
    strategy = getattr(config, "vision_feature_select_strategy", None)
    if vision is None or strategy is None or not hasattr(vision, "patch_size") or not hasattr(vision, "image_size"):
        return None
    (height, width), (down, across) = pair(vision.image_size), pair(vision.patch_size)
    patches = (height // down) * (width // across)
    class_token = vision.model_type in _WITH_CLASS_TOKEN
    return patches + (class_token if strategy == "full" else class_token - 1)


def fit_image_tokens(config: PretrainedConfig, given: Mapping[str, Any]) -> None:
    """Make an inline or shrunk config's image token and image length agree with its vocabulary and vision tower.

    Releases up to 4.46 take fewer image tokens than ``image_seq_length`` for one unexpanded token per image, so the
    field must hold the true number; and a default image token beyond a small vocabulary must move into it.

    Args:
        config: changed in place.
        given: the fields that the user wrote; those are left alone.

    Raises:
        WorkloadError: the user's own image token lies outside the vocabulary.
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
        raise WorkloadError(f"model.config: the image token {token} lies outside the vocabulary of {vocabulary} ids")
    config.image_token_index = vocabulary - 1
