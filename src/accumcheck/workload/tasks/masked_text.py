"""Masked language modelling: some tokens of a row must be restored."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, text_row
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


MASKED = (0.15, 0.40)
"""The share of a row that is predicted; for BERT it is 0.15."""


def _fits(head: Head) -> bool:
    return not head.is_trained_to_generate and head.is_one("MASKED_LM", "ForMaskedLM", "input_ids")


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    """Replace tokens to predict by other ids, because a config does not have the mask token of its tokenizer."""
    text = Text.of(model, data)

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        ids, labels = text.ids(draw, length), [IGNORED] * length
        for place in text.places(draw, length, MASKED):
            labels[place] = ids[place]
            ids[place] = text.ids(draw, 1)[0]
        return text_row(ids, labels)

    return make


TASK = TaskSpec(name="masked-text", fits=_fits, maker=_maker)
