"""Draw the parts of samples: token ids without special meaning, lengths and labels."""

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
    """The identity of a sample in a check. As text it is the seed of the sample's pixels."""

    seed: int
    number: int

    def __str__(self) -> str:
        return f"{self.seed}:{self.number}"


Maker: TypeAlias = Callable[[random.Random, int, SampleKey], Sample]
"""Makes a sample from random numbers, a length in tokens, and the key of the sample."""


@dataclass(frozen=True)
class Text:
    """Draws token ids without special meaning, and numbers within the user's bounds."""

    vocabulary: int
    special: frozenset[int]
    data: SyntheticData

    @classmethod
    def of(cls, model: PreTrainedModel, data: SyntheticData, vocabulary: int | None = None) -> Text:
        """For this model; ``vocabulary``: its vocabulary, if only its config has it."""
        return cls(vocabulary or text_vocabulary(model), special_ids(model.config), data)

    def ids(self, draw: random.Random, length: int) -> list[int]:
        """Token ids of ordinary text."""
        return [ordinary(draw.randrange(self.vocabulary), self.vocabulary, self.special) for _ in range(length)]

    def share(self, draw: random.Random, low: float, high: float) -> float:
        """A number, uniform between these; their mean if lengths must be equal."""
        return (low + high) / 2 if self.data.lengths == "equal" else draw.uniform(low, high)

    def places(self, draw: random.Random, length: int, bounds: tuple[float, float]) -> list[int]:
        """Sorted positions of a row: a share within ``bounds``, but at least one."""
        return sorted(draw.sample(range(length), max(1, round(self.share(draw, *bounds) * length))))

    def target(self, draw: random.Random, longest: int) -> list[int]:
        """Token ids to be generated. Their number is within the user's lengths, and at most ``longest``."""
        low, high = (max(1, min(bound, longest)) for bound in (self.data.min_length, self.data.max_length))
        return self.ids(draw, (low + high) // 2 if self.data.lengths == "equal" else draw.randint(low, max(low, high)))


def text_row(ids: list[int], labels: list[int] | None = None) -> Sample:
    """One row of text without padding. ``labels`` may have a different length, as for a decoder."""
    row = {"input_ids": torch.tensor(ids), "attention_mask": torch.ones(len(ids), dtype=torch.long)}
    return row if labels is None else {**row, "labels": torch.tensor(labels)}


def class_label(model: PreTrainedModel, draw: random.Random) -> torch.Tensor:
    """A label of a whole sample: a class (``[]``), 0 or 1 per class (``[num_labels]``), or numbers for regression.

    The config's ``problem_type`` decides. Without it, transformers' default is used: a number if there is one label,
    else a class.
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
    """The number of positions of the decoder of an encoder-decoder."""
    known = getattr(model.config, "max_target_positions", None)
    return known if isinstance(known, int) else 10**9
