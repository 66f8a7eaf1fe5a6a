"""Text from images, with an encoder for images (and for a prompt, if the model takes one) and a decoder."""

from __future__ import annotations

import inspect
import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import Sample
from accumcheck.workload.decoder_inputs import decoder_inputs, start_of_decoder
from accumcheck.workload.draws import Maker, SampleKey, Text, longest_target, text_row
from accumcheck.workload.images import PIXELS, image_recipe
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    return head.generates and head.encodes and not head.takes.isdisjoint(PIXELS)


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    text, longest, recipe = Text.of(model, data), longest_target(model), image_recipe(model)
    reads = "input_ids" in inspect.signature(model.forward).parameters

    def row_of(ids: list[int], target: list[int], key: str) -> Sample:
        row = text_row([*recipe.tokens * max(1, data.images_per_sample), *ids], target)
        if not reads:
            row = {"labels": row["labels"]}
        return row | recipe.fields(max(1, data.images_per_sample), key, model.dtype)

    draw = random.Random(0)
    probes = [row_of(text.ids(draw, 6), text.ids(draw, length), f"probe:{length}") for length in (4, 3)]
    start = start_of_decoder(model, probes)

    def make(draw: random.Random, length: int, key: SampleKey) -> Sample:
        row = row_of(text.ids(draw, length), text.target(draw, longest), str(key))
        return row if start is None else row | decoder_inputs(row, start)

    return make


TASK = TaskSpec(name="image-seq2seq", fits=_fits, maker=_maker)
