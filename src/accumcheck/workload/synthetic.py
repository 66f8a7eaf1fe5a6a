"""Samples made here: token ids, prompts and images drawn from the check's seed alone."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch

from accumcheck.errors import WorkloadError
from accumcheck.workload.architecture import text_vocabulary
from accumcheck.workload.collate import IGNORED, Sample
from accumcheck.workload.images import ImageRecipe, image_recipe
from accumcheck.workload.special_ids import ordinary, special_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData
    from accumcheck.workload.tasks import Task

_SHORTEST = 3  # two predicted tokens and one that predicts the first of them
_WITHOUT_PROMPT = 0.25


def synthetic_samples(data: SyntheticData, model: PreTrainedModel, task: Task, seed: int, count: int) -> list[Sample]:
    """Draw ``count`` distinct samples; sample i depends on the seed, on i and on the model's config only.

    With ``lengths: varied`` a sample's length is uniform in ``[min_length, max_length]``, no two neighbours within an
    eighth of that range, and the masked prompt's share is uniform in ``prompt_fraction``; where that range starts at 0,
    one sample in four has no prompt at all, since only then is a label at position 0 there to be miscounted. With
    ``lengths: equal`` every sample has the mean length and the mean prompt. At least two tokens are predicted,
    so a length below 3 counts as 3.

    Raises:
        WorkloadError: the vocabulary is too small for so many distinct samples, or no images can be made.
    """
    recipe = image_recipe(model) if task == "image-text" and data.images_per_sample > 0 else None
    vocabulary = text_vocabulary(model)
    special = special_ids(model.config)
    samples, seen = [], set()
    for index, length in zip(range(count), _lengths(data, seed), strict=False):
        for attempt in range(20):
            draw = random.Random(f"{seed}:{index}:{attempt}")
            tokens = tuple(ordinary(draw.randrange(vocabulary), vocabulary, special) for _ in range(length))
            if tokens not in seen:
                break
        else:
            raise WorkloadError(
                f"the vocabulary of {vocabulary} ids is too small for {count} distinct samples of {length} tokens; "
                "raise data.synthetic.min_length"
            )
        seen.add(tokens)
        samples.append(_sample(tokens, _prompt(data, length, draw), recipe, data, f"{seed}:{index}", model.dtype))
    return samples


def _lengths(data: SyntheticData, seed: int) -> Iterator[int]:
    low, high = max(data.min_length, _SHORTEST), max(data.max_length, _SHORTEST)
    draw, previous, apart = random.Random(f"{seed}:lengths"), None, (high - low) / 8
    while True:
        if data.lengths == "equal":
            yield (low + high) // 2
            continue
        length = draw.randint(low, high)
        while previous is not None and high > low and abs(length - previous) <= apart:
            length = draw.randint(low, high)
        previous = length
        yield length


def _prompt(data: SyntheticData, length: int, draw: random.Random) -> int:
    """The number of leading text tokens that are not predicted."""
    low, high = data.prompt_fraction
    if data.lengths == "equal":
        fraction = (low + high) / 2
    elif low == 0 and draw.random() < _WITHOUT_PROMPT:
        fraction = 0.0
    else:
        fraction = draw.uniform(low, high)
    return min(int(fraction * length), length - 2)


def _sample(
    tokens: tuple[int, ...], prompt: int, recipe: ImageRecipe | None, data: SyntheticData, key: str, dtype: torch.dtype
) -> Sample:
    """Half of the prompt, the images, the rest of the prompt, the answer; only the answer has labels."""
    images = list(recipe.tokens) * data.images_per_sample if recipe else []
    front = (prompt + 1) // 2
    ids = [*tokens[:front], *images, *tokens[front:]]
    masked = prompt + len(images)
    labels = [IGNORED] * masked + ids[masked:]
    sample = {
        "input_ids": torch.tensor(ids),
        "labels": torch.tensor(labels),
        "attention_mask": torch.ones(len(ids), dtype=torch.long),
    }
    if recipe is None:
        return sample
    sample |= recipe.token_fields(sample["input_ids"], sample["labels"])
    return sample | recipe.fields(data.images_per_sample, key, dtype)
