"""Pre-training of text encoders: restore tokens and predict a label of the row, or find replaced tokens."""

from __future__ import annotations

import inspect
import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.workload.draws import Maker, SampleKey, Text, text_row
from accumcheck.workload.tasks.masked_text import MASKED
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData

REPLACED = 0.15
"""The share of tokens that are replaced."""


def _fits(head: Head) -> bool:
    others = {"pixel_values", "visual_embeds", "visual_feats", "question_positions"}
    named = any(name.endswith("ForPreTraining") for name in head.classes)  # the registry has other heads too
    return named and "input_ids" in head.takes and head.takes.isdisjoint(others)


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    """Heads with a label of the whole row restore tokens. Others predict for every token whether it was replaced."""
    text = Text.of(model, data)
    of_row = [name for name in inspect.signature(model.forward).parameters if name.endswith("_label")]

    def restored(draw: random.Random, length: int, _: SampleKey) -> Sample:
        ids, labels = text.ids(draw, length), [IGNORED] * length
        for place in text.places(draw, length, MASKED):
            labels[place] = ids[place]
            ids[place] = text.ids(draw, 1)[0]
        return text_row(ids, labels) | {name: torch.tensor(draw.randrange(2)) for name in of_row}

    def replaced_tokens(draw: random.Random, length: int, _: SampleKey) -> Sample:
        return text_row(text.ids(draw, length), [int(draw.random() < REPLACED) for _ in range(length)])

    return restored if of_row else replaced_tokens


TASK = TaskSpec(name="pre-training", fits=_fits, maker=_maker)
