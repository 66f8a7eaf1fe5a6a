"""Random sounds for models that continue text about sounds, and their placeholder tokens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch

from accumcheck.errors import NoMediaError
from accumcheck.workload.causes import first_line
from accumcheck.workload.features import AUDIO, sound_shapes
from accumcheck.workload.image_search import first_that_runs
from accumcheck.workload.image_tokens import sound_token_id
from accumcheck.workload.images import ImageRecipe

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.workload.image_layouts import Layout


def sound_recipe(model: PreTrainedModel) -> ImageRecipe:
    """The form of one sample's sound for the model, and its placeholder tokens.

    Raises:
        NoMediaError: the model runs with none of the shapes that were tried.
    """
    found = first_that_runs(model, _recipes(model), None)
    if isinstance(found, ImageRecipe):
        return found
    raise NoMediaError(
        f"{type(model).__name__}: no synthetic sounds can be made for model type {model.config.model_type!r} "
        f"({first_line(found)}); check it on text only, with images_per_sample: 0"
    )


def _recipes(model: PreTrainedModel) -> Iterator[Callable[[int], ImageRecipe]]:
    takes = frozenset(inspect.signature(model.forward).parameters)
    token = sound_token_id(model.config)
    name = next(name for name in AUDIO if name in takes)

    def recipe(layout: Layout) -> Callable[[int], ImageRecipe]:
        return lambda features: ImageRecipe(() if token is None else (token,) * features, token, layout, {})

    for shape in sound_shapes(model, name):
        yield recipe(_layout(name, shape[1:], takes))


def _layout(name: str, shape: tuple[int, ...], takes: frozenset[str]) -> Layout:
    """The layout of one sound, with masks over all its frames. Frames are the longer of its two sides."""
    frames = max(shape)
    masks = {
        "feature_attention_mask": torch.ones(frames, dtype=torch.long),
        "input_features_mask": torch.ones(frames, dtype=torch.bool),
        "padding_mask": torch.ones(frames, dtype=torch.long),
        "audio_feature_lengths": torch.tensor(frames),
    }
    return lambda _: {name: shape, **{mask: value for mask, value in masks.items() if mask in takes}}
