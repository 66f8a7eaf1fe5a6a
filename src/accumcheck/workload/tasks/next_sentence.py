"""Next sentence prediction: the label says whether the second sentence follows the first."""

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
    text = Text.of(model, data)

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        return text_row(text.ids(draw, length)) | {"labels": torch.tensor(draw.randrange(2))}

    return make


TASK = TaskSpec(
    name="next-sentence-prediction",
    fits=lambda head: head.is_one("NEXT_SENTENCE_PREDICTION", "ForNextSentencePrediction", "input_ids"),
    maker=_maker,
)
