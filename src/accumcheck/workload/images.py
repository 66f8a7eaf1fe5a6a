"""Random images for vision-language models, and the tokens that stand for them."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from accumcheck.errors import UnsupportedError, WorkloadError
from accumcheck.rows.sample import IGNORED
from accumcheck.workload.causes import first_line
from accumcheck.workload.features import random_features
from accumcheck.workload.image_layouts import Layout, layout_of, pair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from transformers import PretrainedConfig, PreTrainedModel

TokenType = Literal["image", "answer"]

# CLS tokens in front of the patches, by the vision tower's model type.
_WITH_CLASS_TOKEN = frozenset({"clip_vision_model", "intern_vit", "dinov2", "chinese_clip_vision_model"})
_WANTED = re.compile(r"tokens: \d+,? features:? (\d+)")
_SMALL_SQUARE = 4
_MOST_GUESSES = 64


@dataclass(frozen=True)
class ImageRecipe:
    """How one sample's images look to a model.

    ``tokens`` stand for one image in ``input_ids``: one ``image_token`` per image feature, and the markers that the
    architecture puts around them. ``layout`` gives the fields of a number of images.
    """

    tokens: tuple[int, ...]
    image_token: int
    layout: Layout
    token_types: Mapping[str, TokenType]

    def fields(self, images: int, key: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The tensors of ``images`` images in one sample; ``key`` seeds the pixels."""
        shape, constants = self.layout(images)
        return {"pixel_values": random_features(shape, key, dtype), **constants}

    def token_fields(self, input_ids: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        """The fields with one entry per token that say which tokens are an image's, or the answer's."""
        marks = {"image": input_ids == self.image_token, "answer": labels != IGNORED}
        return {name: marks[kind].long() for name, kind in self.token_types.items()}


def image_token_id(config: PretrainedConfig) -> int | None:
    """The id that stands for an image feature, under any of the names that releases gave it."""
    for name in ("image_token_id", "image_token_index"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return None


def image_recipe(model: PreTrainedModel) -> ImageRecipe:
    """The recipe that fits the model: a layout by what its forward takes, and as many tokens as it wants features.

    Raises:
        UnsupportedError: no recipe fits this architecture.
    """
    config, token = model.config, image_token_id(model.config)
    layout = layout_of(model)
    if token is None or layout is None:
        raise _unsupported(model, "it has no image token, or takes its images in a way of its own")
    takes = inspect.signature(model.forward).parameters
    types: dict[str, TokenType] = {"mm_token_type_ids": "image", "token_type_ids": "image"}
    if "paligemma" in config.model_type:  # there token types tell the bidirectional prefix from the answer
        types["token_type_ids"] = "answer"
    kinds = {name: kind for name, kind in types.items() if name in takes}
    start, end = getattr(config, "vision_start_token_id", None), getattr(config, "vision_end_token_id", None)

    def recipe(features: int) -> ImageRecipe:
        wrapped = [start, *[token] * features, end] if "image_grid_thw" in takes else [token] * features
        return ImageRecipe(tuple(item for item in wrapped if isinstance(item, int)), token, layout, kinds)

    known = _llava_features(config)
    if known is not None and config.model_type == "llava":
        return recipe(known)
    found = _ask(model, recipe, known)
    if isinstance(found, int):
        return recipe(found)
    raise _unsupported(model, first_line(found))


def _unsupported(model: PreTrainedModel, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"{type(model).__name__}: no synthetic images can be made for model type {model.config.model_type!r} ({why}); "
        "supported: models that take images as LLaVA, LLaVA-NeXT, PaliGemma, Idefics or Qwen-VL do"
    )


def _ask(model: PreTrainedModel, recipe: Callable[[int], ImageRecipe], first: int | None) -> int | str:
    """Features per image: the number that the model runs with. A model that is given another says what it wanted.

    Returns:
        The number, or the model's last complaint.
    """
    waiting, complaint = [first] if first else [], ""
    tried, asked = set[int](), set[int]()
    waiting += [_SMALL_SQUARE, *range(2, _MOST_GUESSES)]
    while waiting:
        features = waiting.pop(0)
        if features in tried:
            continue
        tried.add(features)
        try:
            _run(model, recipe(features))
            return features
        except Exception as error:  # whatever a model raises that was given the wrong number
            complaint = f"{type(error).__name__}: {error}"
        wanted = _WANTED.search(complaint)
        if wanted is None and features in asked:
            break  # the number was right; something else is not
        if wanted is not None:
            asked.add(int(wanted.group(1)))
            waiting.insert(0, int(wanted.group(1)))
    return complaint


@torch.no_grad()
def _run(model: PreTrainedModel, recipe: ImageRecipe) -> None:
    ids = torch.tensor([*recipe.tokens, 0])
    fields = recipe.fields(1, "probe", model.dtype) | {"attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    fields |= {name: value[None] for name, value in recipe.token_fields(ids, torch.full_like(ids, IGNORED)).items()}
    model(input_ids=ids[None].to(model.device), **{name: value.to(model.device) for name, value in fields.items()})


def _llava_features(config: PretrainedConfig) -> int | None:
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
