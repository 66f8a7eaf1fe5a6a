"""The input of a decoder, for models that do not make it from their labels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch

from accumcheck.workload.decoder_inputs import decoder_inputs, start_of_decoder

ROWS = [
    {"input_ids": torch.tensor([5, 6]), "labels": torch.tensor([7, 8, 9])},
    {"input_ids": torch.tensor([5, 6]), "labels": torch.tensor([7, 8])},
]


class Decoder:
    """Embeds its decoder's input; makes it from the labels in one of three ways."""

    device = torch.device("cpu")

    def __init__(self, way: str, start: int | None = 3) -> None:
        self.way, self.config = way, SimpleNamespace(decoder_start_token_id=start)

    def forward(self, input_ids: Any = None, labels: Any = None, decoder_input_ids: Any = None) -> None:
        if decoder_input_ids is None:
            if self.way == "needs":
                raise ValueError("no decoder_input_ids")
            decoder_input_ids = labels if self.way == "as they are" else labels.clamp(min=0)
        if self.way == "always fails" or int(decoder_input_ids.min()) < 0:
            raise IndexError("index out of range")

    def __call__(self, **batch: Any) -> None:
        self.forward(**batch)


def _start(way: str, start: int | None = 3) -> int | None:
    model: Any = Decoder(way, start)
    return start_of_decoder(model, ROWS)


def test_labels_are_shifted_to_the_right() -> None:
    assert decoder_inputs(ROWS[0], 3)["decoder_input_ids"].tolist() == [3, 7, 8]


def test_a_model_that_makes_the_input_itself_needs_none() -> None:
    assert _start("shifts") is None


def test_a_model_that_needs_the_input_gets_its_first_token() -> None:
    assert _start("needs") == 3
    assert _start("needs", start=None) == 0


def test_a_model_that_fails_for_the_padding_of_labels_gets_the_input() -> None:
    assert _start("as they are") == 3


def test_a_model_that_fails_either_way_gets_none() -> None:
    assert _start("always fails") is None
