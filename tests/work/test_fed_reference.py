"""The truth of a program's rows: what a loop passed of its own counts takes no part in it."""

from __future__ import annotations

from typing import Any

import torch

from accumcheck.rows.row_collator import RowCollator
from accumcheck.rows.sample import Whole
from accumcheck.work.fed_reference import _without_counts


class Counted(torch.nn.Module):
    """Divides the sum of its loss by what it is passed; where nothing is, takes the mean, or cannot."""

    def __init__(self, *, needs_count: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.needs_count = needs_count

    def forward(self, input_ids: torch.Tensor, num_items_in_batch: int | None = None) -> dict[str, torch.Tensor]:
        loss = self.weight * input_ids.float()
        if self.needs_count or num_items_in_batch is not None:
            return {"loss": loss.sum() / num_items_in_batch}  # type: ignore[operator]
        return {"loss": loss.mean()}


ROWS: dict[int, dict[str, Any]] = {
    7: {"input_ids": torch.tensor([1, 2]), "num_items_in_batch": Whole(9)},
    8: {"input_ids": torch.tensor([3])},
}


def test_the_count_that_a_loop_passes_is_left_out() -> None:
    found = _without_counts(Counted(needs_count=False), ROWS, RowCollator(0))
    assert [sorted(row) for row in found.values()] == [["input_ids"], ["input_ids"]]


def test_it_stays_where_the_model_has_no_loss_without() -> None:
    assert _without_counts(Counted(needs_count=True), ROWS, RowCollator(0)) is ROWS


def test_rows_without_a_count_are_not_touched() -> None:
    rows = {8: ROWS[8]}
    assert _without_counts(Counted(needs_count=True), rows, RowCollator(0)) is rows
