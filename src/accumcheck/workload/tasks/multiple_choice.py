"""Multiple choice: a row has several texts, and one of them is right."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, Text
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


CHOICES = 4


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    text = Text.of(model, data)

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        ids = torch.tensor([text.ids(draw, length) for _ in range(CHOICES)])
        right = torch.tensor(draw.randrange(CHOICES))
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": right}

    return make


TASK = TaskSpec(
    name="multiple-choice",
    fits=lambda head: head.is_one("MULTIPLE_CHOICE", "ForMultipleChoice", "input_ids"),
    maker=_maker,
)
