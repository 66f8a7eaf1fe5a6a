"""What samples are drawn with: token ids without special meaning, lengths, labels."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.architecture import text_vocabulary
from accumcheck.workload.special_ids import ordinary, special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


class SampleKey(NamedTuple):
    """Which sample of which check this is; as text it seeds the sample's pixels."""

    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.seed}:{self.number}"


Maker: TypeAlias = Callable[[random.Random, int, SampleKey], Sample]
"""From random numbers, a length in tokens, and the sample's key, to the sample."""


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


def text_row(ids: list[int], labels: list[int] | None = None) -> Sample:
    """One row of text without padding; ``labels`` may have another length, as a decoder's have."""
    row = {"input_ids": torch.tensor(ids), "attention_mask": torch.ones(len(ids), dtype=torch.long)}
    return row if labels is None else {**row, "labels": torch.tensor(labels)}


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
    known = getattr(model.config, "max_target_positions", None)
    return known if isinstance(known, int) else 10**9
