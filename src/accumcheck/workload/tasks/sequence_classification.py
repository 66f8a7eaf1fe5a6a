"""Classification of a text: one label for each row."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, class_label, text_row
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    text, end = Text.of(model, data), _end(model)

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        return text_row([*text.ids(draw, length), *end]) | {"labels": class_label(model, draw)}

    return make


def _end(model: PreTrainedModel) -> list[int]:
    """The end-of-text token, at which encoder-decoders classify."""
    end = getattr(model.config, "eos_token_id", None)
    return [end] if model.config.is_encoder_decoder and isinstance(end, int) else []


TASK = TaskSpec(
    name="sequence-classification",
    fits=lambda head: head.is_one("SEQUENCE_CLASSIFICATION", "ForSequenceClassification", "input_ids"),
    maker=_maker,
)
