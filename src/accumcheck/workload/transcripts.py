"""Sounds with the text that is to be predicted of them."""

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
    """The maker of sounds that all have one length, and of texts that differ in theirs.

    Args:
        model: is run to find the shape of a sound.
        data: bounds of a text's length, in tokens.
        longest: from the frames that the model makes of a sound to the tokens that its text may have.

    Raises:
        WorkloadError: the model runs with none of the shapes tried.
    """
    text = Text.of(model, data, vocabulary=_vocabulary(model))
    name, shape, frames = sound_shape(model, torch.tensor([[text.vocabulary // 2]]))
    most = longest(frames)

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        sound = random_features(shape, str(key), model.dtype)
        return {name: sound, "labels": torch.tensor(text.target(draw, most))}

    return make


def _vocabulary(model: PreTrainedModel) -> int | None:
    """The number of ids that the model predicts, where its config says it; it may embed none."""
    size = getattr(model.config, "vocab_size", None)
    return size if isinstance(size, int) else None
