"""Random images for vision-language models: one recipe per way in which architectures take pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from accumcheck.errors import WorkloadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PretrainedConfig, PreTrainedModel

# CLS tokens in front of the patches, by the vision tower's model type.
_WITH_CLASS_TOKEN = frozenset({"clip_vision_model", "intern_vit", "dinov2", "chinese_clip_vision_model"})


@dataclass(frozen=True)
class ImageRecipe:
    """How one sample's images look to a model.

    ``tokens``: the ids that stand for one image in ``input_ids``, one image token per image feature, with the markers
    the architecture puts around them; ``shapes``: per float field the shape of one image's pixels, without the leading
    dimension over images; ``constants``: integer fields of fixed content, ``[1, ...]`` per image.
    """

    tokens: tuple[int, ...]
    shapes: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def fields(self, images: int, key: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The tensors of ``images`` images, concatenated along the first dimension; ``key`` seeds the pixels."""
        drawn = {name: _pixels((images, *shape), f"{key}:{name}", dtype) for name, shape in self.shapes.items()}
        repeated = {name: value.repeat(images, *[1] * (value.ndim - 1)) for name, value in self.constants.items()}
        return drawn | repeated


def _pixels(shape: tuple[int, ...], key: str, dtype: torch.dtype) -> torch.Tensor:
    """Multiples of 1/64 in [-2, 2): exact in every dtype, so that all dtypes see the same image."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") >> 1
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(-128, 128, shape, generator=generator) / 64).to(dtype)


def image_token_id(config: PretrainedConfig) -> int | None:
    """The id that stands for an image feature, under any of the names that releases gave it."""
    for name in ("image_token_id", "image_token_index"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return None


def image_recipe(model: PreTrainedModel) -> ImageRecipe:
    """The recipe that the model's config calls for.

    Raises:
        WorkloadError: no recipe fits this architecture.
    """
    config = model.config
    token, features = image_token_id(config), _llava_features(config)
    if token is None or features is None:
        raise WorkloadError(
            f"{type(model).__name__}: no synthetic images can be made for model type {config.model_type!r}; "
            "supported: llava"
        )
    vision = config.vision_config
    height, width = _pair(vision.image_size)
    shape = (getattr(vision, "num_channels", 3), height, width)
    return ImageRecipe(tokens=(token,) * features, shapes={"pixel_values": shape})


def _llava_features(config: PretrainedConfig) -> int | None:
    """Features per image of a LLaVA: one per patch, and the class token where it is selected (``full``)."""
    vision = getattr(config, "vision_config", None)
    strategy = getattr(config, "vision_feature_select_strategy", None)
    if vision is None or strategy is None or not hasattr(vision, "patch_size") or not hasattr(vision, "image_size"):
        return None
    (height, width), (down, across) = _pair(vision.image_size), _pair(vision.patch_size)
    patches = (height // down) * (width // across)
    class_token = vision.model_type in _WITH_CLASS_TOKEN
    return patches + (class_token if strategy == "full" else class_token - 1)


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


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
    features = _llava_features(config)
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
