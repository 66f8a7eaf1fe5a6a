"""What makes a model depend on its batch: padding that a loss does not leave out, or batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from accumcheck.reference.batch_terms import PADDING, batch_term, normalisation_of
from accumcheck.rows.row_collator import RowCollator


class Span(torch.nn.Module):
    """Points at one position of a text; its softmax is over all positions, or over those that the mask shows."""

    def __init__(self, *, masked: bool) -> None:
        super().__init__()
        self.score = torch.nn.Embedding(8, 1, dtype=torch.float64)
        self.masked = masked

    def forward(self, batch: Mapping[str, Any]) -> torch.Tensor:
        scores = self.score(batch["input_ids"]).squeeze(-1)
        if self.masked:
            scores = scores.masked_fill(batch["attention_mask"] == 0, -torch.inf)
        return torch.nn.functional.cross_entropy(scores, batch["start_positions"])


def rows(*lengths: int) -> list[dict[str, torch.Tensor]]:
    return [
        {
            "input_ids": torch.arange(1, length + 1),
            "attention_mask": torch.ones(length, dtype=torch.long),
            "start_positions": torch.tensor(1),
        }
        for length in lengths
    ]


def term_of(model: torch.nn.Module, samples: list[dict[str, torch.Tensor]]) -> Any:
    torch.manual_seed(0)

    def loss_of(batch: Mapping[str, Any]) -> tuple[torch.Tensor, int]:
        return model(batch), len(batch["input_ids"])

    return batch_term(model, loss_of, samples, RowCollator(0), "float64")


def test_padding_that_the_loss_includes_is_named() -> None:
    term = term_of(Span(masked=False), rows(3, 6))
    assert (term.name, term.additive, term.complete) == (PADDING, False, True)


def test_rows_that_affect_each_other_otherwise_are_not_put_down_to_padding() -> None:
    class Neighbours(Span):
        def forward(self, batch: Mapping[str, Any]) -> torch.Tensor:
            return super().forward(batch) * (1 + self.score(batch["input_ids"]).mean()) ** 2

    assert term_of(Neighbours(masked=True), rows(3, 6)) is None


def test_batch_normalisation_is_named_by_its_layers() -> None:
    norm = torch.nn.BatchNorm1d
    one, two = torch.nn.Sequential(torch.nn.Linear(2, 2), norm(2)), torch.nn.Sequential(norm(2), norm(2))
    found = [normalisation_of(model) for model in (one, two)]
    assert [each.name for each in found if each is not None] == [
        "batch normalisation (layer 1)",
        "batch normalisation (2 layers, the first is 0)",
    ]
    assert normalisation_of(two.eval()) is None
