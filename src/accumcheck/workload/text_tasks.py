"""Rows of text: what is put in, and what is to be predicted, for each task that takes text."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch

from accumcheck.workload.architecture import text_vocabulary
from accumcheck.workload.collate import IGNORED, Sample
from accumcheck.workload.images import ImageRecipe, image_recipe
from accumcheck.workload.special_ids import ordinary, special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData
    from accumcheck.workload.tasks import Task


class SampleKey(NamedTuple):
    """Which sample of which check this is; as text it seeds the sample's pixels."""

    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.seed}:{self.number}"


Maker: TypeAlias = Callable[[random.Random, int, SampleKey], Sample]
"""From random numbers, a length in tokens, and the sample's key, to the sample."""

MASKED = (0.15, 0.40)
"""The share of a row that a masked language model predicts; BERT's own is 0.15."""
TAGGED = (0.30, 1.0)
"""The share of a row's tokens that bear a tag: the first of each word, in common practice."""
CHOICES = 4
WITHOUT_PROMPT = 4
"""Every so many samples one has no prompt: only then is a label at position 0 there to be miscounted."""


@dataclass(frozen=True)
class Text:
    """Draws token ids without special meaning, and amounts within the bounds that the user gave."""

    vocabulary: int
    special: frozenset[int]
    data: SyntheticData

    @classmethod
    def of(cls, model: PreTrainedModel, data: SyntheticData, vocabulary: int | None = None) -> Text:
        """For this model; ``vocabulary`` where its config alone knows it."""
        return cls(vocabulary or text_vocabulary(model), special_ids(model.config), data)

    def ids(self, draw: random.Random, length: int) -> list[int]:
        """Token ids of ordinary text."""
        return [ordinary(draw.randrange(self.vocabulary), self.vocabulary, self.special) for _ in range(length)]

    def share(self, draw: random.Random, low: float, high: float) -> float:
        """Uniform between these, or their mean where lengths are to be equal."""
        return (low + high) / 2 if self.data.lengths == "equal" else draw.uniform(low, high)

    def places(self, draw: random.Random, length: int, bounds: tuple[float, float]) -> list[int]:
        """A share within ``bounds`` of the positions of a row, at least one, in order."""
        return sorted(draw.sample(range(length), max(1, round(self.share(draw, *bounds) * length))))

    def target(self, draw: random.Random, longest: int) -> list[int]:
        """Token ids to be generated: between the user's lengths, and no more than ``longest``."""
        low, high = (max(1, min(bound, longest)) for bound in (self.data.min_length, self.data.max_length))
        return self.ids(draw, (low + high) // 2 if self.data.lengths == "equal" else draw.randint(low, max(low, high)))


def text_maker(task: Task, model: PreTrainedModel, data: SyntheticData) -> Maker:
    """The maker of samples for a task that takes text.

    Raises:
        WorkloadError: the model embeds no token ids, or no images can be made for it.
    """
    text = Text.of(model, data)
    if task == "seq2seq-text":
        return lambda draw, length, _: _row(text.ids(draw, length), text.target(draw, longest_target(model)))
    if task == "masked-text":
        return lambda draw, length, _: _masked(text, draw, length)
    if task == "sequence-classification":
        end = _end(model)
        return lambda draw, length, _: _row([*text.ids(draw, length), *end]) | {"labels": class_label(model, draw)}
    if task == "token-classification":
        return lambda draw, length, _: _tagged(text, draw, length, model.config.num_labels)
    if task == "multiple-choice":
        return lambda draw, length, _: _choices(text, draw, length)
    if task == "question-answering":
        same = max(2, (data.min_length + data.max_length) // 2)
        return lambda draw, *_: _answered(text, draw, same)
    recipe = image_recipe(model) if task == "image-text" and data.images_per_sample > 0 else None
    return lambda draw, length, key: _causal(text, draw, length, key, recipe, model.dtype)


def class_label(model: PreTrainedModel, draw: random.Random) -> torch.Tensor:
    """A label of a whole sample: a class (``[]``), 0 or 1 for each (``[num_labels]``), or numbers to be regressed.

    Which of these is the config's ``problem_type``, and where it has none what transformers takes it for: a number
    where there is one label, else a class.
    """
    labels = int(model.config.num_labels)
    kind = getattr(model.config, "problem_type", None) or ("regression" if labels == 1 else "")
    if kind == "multi_label_classification":
        return torch.tensor([float(draw.randrange(2)) for _ in range(labels)], dtype=model.dtype)
    if kind == "regression":
        numbers = [draw.randrange(-128, 128) / 64 for _ in range(labels)]  # exact in every dtype
        return torch.tensor(numbers if labels > 1 else numbers[0], dtype=model.dtype)
    return torch.tensor(draw.randrange(labels))


def longest_target(model: PreTrainedModel) -> int:
    """How many tokens the decoder of an encoder-decoder has positions for."""
    config = model.config
    known = getattr(config, "max_target_positions", None)
    return known if isinstance(known, int) else 10**9


def _end(model: PreTrainedModel) -> list[int]:
    """The end of text, which encoder-decoders classify at."""
    end = getattr(model.config, "eos_token_id", None)
    return [end] if model.config.is_encoder_decoder and isinstance(end, int) else []


def _row(ids: list[int], labels: list[int] | None = None) -> Sample:
    row = {"input_ids": torch.tensor(ids), "attention_mask": torch.ones(len(ids), dtype=torch.long)}
    return row if labels is None else {**row, "labels": torch.tensor(labels)}


def _masked(text: Text, draw: random.Random, length: int) -> Sample:
    """Predicted are some positions, at which another id stands in: a config does not name its tokenizer's mask."""
    ids, labels = text.ids(draw, length), [IGNORED] * length
    for place in text.places(draw, length, MASKED):
        labels[place] = ids[place]
        ids[place] = text.ids(draw, 1)[0]
    return _row(ids, labels)


def _tagged(text: Text, draw: random.Random, length: int, tags: int) -> Sample:
    ids, labels = text.ids(draw, length), [IGNORED] * length
    for place in text.places(draw, length, TAGGED):
        labels[place] = draw.randrange(tags)
    return _row(ids, labels)


def _choices(text: Text, draw: random.Random, length: int) -> Sample:
    ids = torch.tensor([text.ids(draw, length) for _ in range(CHOICES)])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor(draw.randrange(CHOICES))}


def _answered(text: Text, draw: random.Random, length: int) -> Sample:
    """A span. Rows have one length, as common practice pads them: the padding's logits take part in the softmax."""
    ids = text.ids(draw, length)
    start, end = sorted(draw.randrange(length) for _ in range(2))
    return _row(ids) | {"start_positions": torch.tensor(start), "end_positions": torch.tensor(end)}


def _causal(
    text: Text, draw: random.Random, length: int, key: SampleKey, recipe: ImageRecipe | None, dtype: torch.dtype
) -> Sample:
    """Half of the prompt, the images, the rest of the prompt, the answer; only the answer has labels."""
    tokens = text.ids(draw, length)
    prompt = _prompt(text.data, length, draw, key)
    images = list(recipe.tokens) * text.data.images_per_sample if recipe else []
    front = (prompt + 1) // 2
    ids = [*tokens[:front], *images, *tokens[front:]]
    masked = prompt + len(images)
    sample = _row(ids, [IGNORED] * masked + ids[masked:])
    if recipe is None:
        return sample
    sample |= recipe.token_fields(sample["input_ids"], sample["labels"])
    return sample | recipe.fields(text.data.images_per_sample, str(key), dtype)


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
