"""The truth of a program's rows: what a loop passed of its own counts takes no part in it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from accumcheck.config.model import CheckConfig, ModelConfig
from accumcheck.record import MicroBatch, Split
from accumcheck.rows.row_collator import RowCollator
from accumcheck.rows.sample import Whole
from accumcheck.runfolder.steps import SeenStep
from accumcheck.work.fed_reference import _losses_with_counts, _without_counts


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


CHECK = CheckConfig(model=ModelConfig(dtype="float32"), global_batch_size=8, splits=(Split(1, 8, 1),))
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


def steps_with(*counts: tuple[float | None, ...]) -> list[SeenStep]:
    """Steps of micro-batches that the model was passed these counts with."""
    return [
        SeenStep(1.0, tuple(MicroBatch(0, (at,), token_count=count) for at, count in enumerate(step)))
        for step in counts
    ]


def test_a_loss_with_the_count_of_each_step_is_kept_for_terms_that_need_it() -> None:
    model = Counted(needs_count=False)
    losses = _losses_with_counts(model, CHECK, steps_with((6.0, 6.0), (9.0, 9.0)))
    assert losses.counts == {0: 6.0, 1: 9.0}
    assert losses.counted is not None
    batch = {"input_ids": torch.tensor([[1, 2]])}
    assert losses.counted(batch, 6.0, 1).item() == 0.5  # (1 + 2) / 6
    assert losses.asked(batch)[0].item() == 1.5


@pytest.mark.parametrize("counts", [(6.0, 5.0), (None, None)])
def test_counts_of_single_micro_batches_are_none_of_a_step(counts: tuple[float | None, ...]) -> None:
    losses = _losses_with_counts(Counted(needs_count=False), CHECK, steps_with(counts))
    assert losses.counted is None
