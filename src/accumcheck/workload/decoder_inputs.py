"""The input of a decoder, for models that do not make it from their labels."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.fields import moved
from accumcheck.rows.sample import Sample

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def decoder_inputs(row: Sample, start: int) -> Sample:
    """The labels of a row, shifted to the right."""
    return {"decoder_input_ids": torch.cat([torch.tensor([start]), row["labels"][:-1]])}


@torch.no_grad()
def start_of_decoder(model: PreTrainedModel, rows: Sequence[Sample]) -> int | None:
    """The first token of the decoder's input, if the model does not make that input from its labels.

    FSMT makes none. BLIP takes its labels as they are, which fails for the padding of labels.

    Args:
        model: the model, which is run.
        rows: rows whose labels differ in length.

    Returns:
        The token; None if the model runs without this input, or not with it either.
    """
    if "decoder_input_ids" not in inspect.signature(model.forward).parameters:
        return None
    collate, start = Collator.of(model), getattr(model.config, "decoder_start_token_id", None)
    try:
        model(**moved(collate(rows), model.device))
    except Exception:  # a model may raise anything without the input
        first = start if isinstance(start, int) else 0
        with contextlib.suppress(Exception):
            model(**moved(collate([{**row, **decoder_inputs(row, first)} for row in rows]), model.device))
            return first
    return None
