"""Sounds with their text, which must be predicted."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, Text
from accumcheck.workload.features import random_features, sound_shape

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def transcript_maker(model: PreTrainedModel, data: SyntheticData, longest: Callable[[int], int]) -> Maker:
    """The maker of sounds of the same length with texts of different lengths.

    Args:
        model: the model, which is run to find the shape of a sound.
        data: the bounds of the length of a text, in tokens.
        longest: maps the model's frames of a sound to the largest number of tokens of its text.

    Raises:
        WorkloadError: the model runs with none of the shapes that were tried.
    """
    text = Text.of(model, data, vocabulary=_vocabulary(model))
    name, shape, frames = sound_shape(model, torch.tensor([[text.vocabulary // 2]]))
    most = longest(frames)

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        sound = random_features(shape, str(key), model.dtype)
        return {name: sound, "labels": torch.tensor(text.target(draw, most))}

    return make


def _vocabulary(model: PreTrainedModel) -> int | None:
    """The number of ids that the model predicts, if its config has it. The model may embed no ids."""
    size = getattr(model.config, "vocab_size", None)
    return size if isinstance(size, int) else None
