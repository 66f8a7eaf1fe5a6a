"""Question answering: the first and the last token of a span are predicted."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, text_row
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    """All rows have the same length, as usual for this task, because logits of padding are part of the softmax."""
    text, same = Text.of(model, data), max(2, (data.min_length + data.max_length) // 2)

    def make(draw: random.Random, _: int, __: SampleKey) -> Sample:
        ids = text.ids(draw, same)
        start, end = sorted(draw.randrange(same) for _ in range(2))
        return text_row(ids) | {"start_positions": torch.tensor(start), "end_positions": torch.tensor(end)}

    return make


TASK = TaskSpec(
    name="question-answering",
    fits=lambda head: head.is_one("QUESTION_ANSWERING", "ForQuestionAnswering", "start_positions"),
    maker=_maker,
)
