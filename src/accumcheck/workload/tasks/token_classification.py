"""Token classification: some tokens of a row have a label."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, text_row
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


TAGGED = (0.30, 1.0)
"""The share of a row's tokens that have a label. Usually it is the first token of each word."""


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    text = Text.of(model, data)

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        ids, labels = text.ids(draw, length), [IGNORED] * length
        for place in text.places(draw, length, TAGGED):
            labels[place] = draw.randrange(model.config.num_labels)
        return text_row(ids, labels)

    return make


TASK = TaskSpec(
    name="token-classification",
    fits=lambda head: head.is_one("TOKEN_CLASSIFICATION", "ForTokenClassification", "input_ids"),
    maker=_maker,
)
