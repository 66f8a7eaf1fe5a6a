"""Text from text, with an encoder and a decoder."""

from __future__ import annotations

import contextlib
import inspect
import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.fields import moved
from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, longest_target, text_row
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    return head.generates and head.encodes and "input_ids" in head.takes and "pixel_values" not in head.takes


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    text, longest = Text.of(model, data), longest_target(model)
    start = _start_of_decoder(model, text)

    def make(draw: random.Random, length: int, _: SampleKey) -> Sample:
        row = text_row(text.ids(draw, length), text.target(draw, longest))
        return row if start is None else row | _decoder_inputs(row, start)

    return make


def _decoder_inputs(row: Sample, start: int) -> Sample:
    """The labels, shifted to the right."""
    return {"decoder_input_ids": torch.cat([torch.tensor([start]), row["labels"][:-1]])}


@torch.no_grad()
def _start_of_decoder(model: PreTrainedModel, text: Text) -> int | None:
    """The first token of the decoder's input, if the model does not make that input from its labels (FSMT)."""
    if "decoder_input_ids" not in inspect.signature(model.forward).parameters:
        return None
    draw, start = random.Random(0), getattr(model.config, "decoder_start_token_id", None)
    row = text_row(text.ids(draw, 6), text.ids(draw, 4))
    batch = moved(Collator.of(model)([row]), model.device)
    try:
        model(**batch)
    except Exception:  # a model may raise anything without the input
        with contextlib.suppress(Exception):
            first = start if isinstance(start, int) else 0
            model(**batch, **moved(Collator.of(model)([_decoder_inputs(row, first)]), model.device))
            return first
    return None


TASK = TaskSpec(name="seq2seq-text", fits=_fits, maker=_maker)
