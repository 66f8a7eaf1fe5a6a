"""Changes of the weights in one window."""

from __future__ import annotations

import pytest
import torch

from accumcheck.capture.coordinates import GradientReader, named_parameters_of
from accumcheck.capture.updates import UpdateWatch


def test_changes_of_one_window_add_up_and_the_next_begins_with_none() -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    reader = GradientReader.of(model, seed=0)
    watch = UpdateWatch(None, reader, reader.positions_of(named_parameters_of(model)))
    before = {id(model.weight): torch.tensor([[1.0, 2.0]])}
    for now in ([[4.0, 2.0]], [[1.0, 6.0]]):  # changes of (3, 0) and (0, 4)
        with torch.no_grad():
            model.weight.copy_(torch.tensor(now))
        watch.changed(model.parameters(), before)
    change = watch.take().change
    assert change is not None
    assert change.entries.tolist() == [3.0, 4.0]
    assert change.norm == pytest.approx(5.0)
    assert watch.take().change is None


def test_opposite_changes_undo_each_other() -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    reader = GradientReader.of(model, seed=0)
    watch = UpdateWatch(None, reader, reader.positions_of(named_parameters_of(model)))
    before = {id(model.weight): torch.tensor([[0.0, 0.0]])}
    for now in ([[3.0, 4.0]], [[-3.0, -4.0]]):
        with torch.no_grad():
            model.weight.copy_(torch.tensor(now))
        watch.changed(model.parameters(), before)
    change = watch.take().change
    assert change is not None
    assert (change.entries.tolist(), change.norm) == ([0.0, 0.0], 0.0)
