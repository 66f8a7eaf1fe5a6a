"""Rows for models that continue text: half of the prompt, the images, the rest of the prompt, the answer."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, text_row

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData
    from accumcheck.workload.images import ImageRecipe

WITHOUT_PROMPT = 4
"""One of so many samples has no prompt. Only such a sample has a label at position 0, which can be miscounted."""


def continued_text_maker(model: PreTrainedModel, data: SyntheticData, recipe: ImageRecipe | None) -> Maker:
    """The maker of rows in which only the answer has labels.

    Args:
        model: determines the vocabulary.
        data: the lengths, the share of the prompt, and the number of images.
        recipe: the form of the images for the model; None: text only.

    Raises:
        WorkloadError: the model embeds no token ids.
    """
    text = Text.of(model, data)
    count = data.images_per_sample if recipe and recipe.has_pixels else 1  # a row has one sound
    images = list(recipe.tokens) * count if recipe else []

    def make(draw: random.Random, length: int, key: SampleKey) -> Sample:
        tokens = text.ids(draw, length)
        prompt = _prompt(data, length, draw, key)
        front = (prompt + 1) // 2
        ids = [*tokens[:front], *images, *tokens[front:]]
        masked = prompt + len(images)
        sample = text_row(ids, [IGNORED] * masked + ids[masked:])
        if recipe is None:
            return sample
        sample |= recipe.token_fields(sample["input_ids"], sample["labels"], count)
        return sample | recipe.fields(count, str(key), model.dtype)

    return make


def _prompt(data: SyntheticData, length: int, draw: random.Random, key: SampleKey) -> int:
    """The number of leading text tokens that are not predicted."""
    low, high = data.prompt_fraction
    if data.lengths == "equal":
        fraction = (low + high) / 2
    elif low == 0 and key.number % WITHOUT_PROMPT == 0:
        fraction = 0.0
    else:
        fraction = draw.uniform(low, high)
    return min(int(fraction * length), length - 2)
