"""Random images for vision-language models, and their placeholder tokens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from accumcheck.errors import NoMediaError
from accumcheck.rows.sample import IGNORED, IMAGE_FIELDS
from accumcheck.rows.vocabulary import embedded_ids
from accumcheck.workload.causes import first_line
from accumcheck.workload.features import random_features
from accumcheck.workload.image_guesses import FLAT_PATCHES, guessed_layouts
from accumcheck.workload.image_layouts import Layout, layout_of
from accumcheck.workload.image_search import first_that_runs, free_id
from accumcheck.workload.image_tokens import TOKEN_NAMES, image_token_id, llava_features, wrappers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

TokenType = Literal["image", "answer", "attends"]

_POSITION_MASK = "image_embeds_position_mask"
_ATTENTION = "image_attention_mask"
"""The images that each token attends to, ``[length, images]``."""

PIXELS = ("pixel_values", FLAT_PATCHES, "image_patches")
"""The names of image inputs."""


@dataclass(frozen=True)
class ImageRecipe:
    """The form of one sample's images for a model.

    ``tokens``: the placeholders of one image in ``input_ids``: one ``image_token`` per image feature, and the markers
    around them; empty if the model puts its images before the text. ``layout``: gives the fields of a number of images.
    """

    tokens: tuple[int, ...]
    image_token: int | None
    layout: Layout
    token_types: Mapping[str, TokenType]

    def fields(self, images: int, key: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The tensors of ``images`` images in one sample; ``key``: the seed of the pixels."""
        found = {}
        for name, value in self.layout(images).items():
            if isinstance(value, tuple):
                value = random_features(value, key if name == "pixel_values" else f"{key}:{name}", dtype)
            if name == FLAT_PATCHES:
                _number_patches(value)
            found[name] = value
        return found

    @property
    def has_pixels(self) -> bool:
        """Whether these are images rather than sounds."""
        return not self.layout(1).keys().isdisjoint(PIXELS)

    def token_fields(self, input_ids: torch.Tensor, labels: torch.Tensor, images: int = 1) -> dict[str, torch.Tensor]:
        """The fields with one entry per token, which mark the tokens of an image, or of the answer.

        A mask of the images that each token attends to has one entry per token and image: every token attends to all.
        """
        marks = {
            "image": input_ids == (-1 if self.image_token is None else self.image_token),
            "answer": labels != IGNORED,
            "attends": torch.ones(len(input_ids), images),
        }
        found = {name: marks[kind].long() for name, kind in self.token_types.items()}
        # the collator concatenates fields whose names begin like those of images
        return {name: value[None] if name.startswith(IMAGE_FIELDS) else value for name, value in found.items()}


def image_recipe(model: PreTrainedModel) -> ImageRecipe:
    """The recipe that fits the model: a layout from the inputs of its forward, and one token per image feature.

    Raises:
        NoMediaError: no recipe fits this architecture.
    """
    known = llava_features(model.config)
    recipes = _recipes(model)
    if known is not None and model.config.model_type == "llava":
        return next(recipes)(known)
    found = first_that_runs(model, recipes, known)
    if isinstance(found, ImageRecipe):
        return found
    raise _unsupported(model, first_line(found) if found else "it has no pixel input with a known name")


def _number_patches(patches: torch.Tensor) -> None:
    """Write the row and the column of each patch, counted from 1, into its first two numbers, in place."""
    numbers = torch.arange(patches.shape[-2])
    patches[..., 0] = (numbers // 2 + 1).to(patches.dtype)
    patches[..., 1] = (numbers % 2 + 1).to(patches.dtype)


def _recipes(model: PreTrainedModel) -> Iterator[Callable[[int], ImageRecipe]]:
    """Recipes for each layout, the most common first, with and without the markers of the config."""
    takes = inspect.signature(model.forward).parameters
    token = _token(model)
    types: dict[str, TokenType] = {
        "mm_token_type_ids": "image",
        "moe_mm_token_type_ids": "image",
        "token_type_ids": "image",
        _POSITION_MASK: "image",
        _ATTENTION: "attends",
    }
    if "paligemma" in model.config.model_type:  # its token types separate the bidirectional prefix from the answer
        types["token_type_ids"] = "answer"
    kinds = {name: kind for name, kind in types.items() if name in takes}
    wrappers: list[tuple[int, ...]] = [(), *wrappers_of(model.config)] if token is not None else [()]
    if "image_grid_thw" in takes:
        wrappers.sort(key=len, reverse=True)
    usual = layout_of(model)

    def recipe(layout: Layout, wrapper: tuple[int, ...]) -> Callable[[int], ImageRecipe]:
        def make(features: int) -> ImageRecipe:
            # the search gives an id to a config that has none (Qwen2-VL before 4.50)
            now = image_token_id(model.config) if token is None else token
            inner = () if now is None else (now,) * features
            return ImageRecipe((*wrapper[:1], *inner, *wrapper[1:]), now, layout, kinds)

        return make

    for layout in [*([usual] if usual is not None else []), *guessed_layouts(model)]:
        for wrapper in wrappers:
            yield recipe(layout, wrapper)


def _token(model: PreTrainedModel) -> int | None:
    """The token id of an image feature. If the config has the field but no id in it, it gets the last id."""
    config = model.config
    token = image_token_id(config)
    if token is None:
        name = next((name for name in TOKEN_NAMES if hasattr(config, name)), None)
        last = embedded_ids(model)
        if name is not None and last is not None:
            setattr(config, name, last - 1)
            token = image_token_id(config)
    if token is None and _POSITION_MASK in inspect.signature(model.forward).parameters:
        token = free_id(model)  # the mask marks the placeholders, whatever their id
    return token


def _unsupported(model: PreTrainedModel, why: str) -> NoMediaError:
    return NoMediaError(
        f"{type(model).__name__}: no synthetic images can be made for model type {model.config.model_type!r} ({why}); "
        "if the model is shrunk, try shrink: false; or check it on text only, with images_per_sample: 0"
    )
