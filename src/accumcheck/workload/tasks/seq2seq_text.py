"""Text from text, with an encoder and a decoder."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import Sample
from accumcheck.workload.decoder_inputs import decoder_inputs, start_of_decoder
from accumcheck.workload.draws import Maker, SampleKey, Text, longest_target, text_row
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    return head.generates and head.encodes and "input_ids" in head.takes and "pixel_values" not in head.takes


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    text, longest = Text.of(model, data), longest_target(model)
    draw = random.Random(0)
    start = start_of_decoder(model, [text_row(text.ids(draw, 6), text.ids(draw, length)) for length in (4, 3)])

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        row = text_row(text.ids(draw, length), text.target(draw, longest))
        return row if start is None else row | decoder_inputs(row, start)

    return make


TASK = TaskSpec(name="seq2seq-text", fits=_fits, maker=_maker)
