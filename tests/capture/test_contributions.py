"""What each group of backward passes adds to the gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from accumcheck.capture.contributions import Contributions
from accumcheck.capture.coordinates import GradientReader

INPUTS = (torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([10.0, 20.0, 30.0, 40.0]))


class Weighted(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(4))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return (self.weight * inputs).sum()


@pytest.mark.parametrize("limit", [None, 4, 3])
def test_a_group_keeps_its_gradient_whatever_is_done_to_it_later(limit: int | None) -> None:
    model = Weighted()
    firsts = iter([False, True])
    seen = Contributions(
        GradientReader.of(model, seed=0), dict(model.named_parameters()), lambda position: next(firsts), limit
    )
    for inputs in INPUTS:
        model(inputs).backward()
        assert model.weight.grad is not None
        model.weight.grad.mul_(0.5)  # as clipping would, in the tensor that the hook was given
    added = seen.take([(), ()])
    expected = np.stack([inputs.numpy() for inputs in INPUTS])
    assert len(seen.entries) == min(limit or 4, 4)
    assert added.tolist() == expected[:, seen.entries].tolist()


def test_passes_of_one_group_are_added_and_what_is_ignored_is_zero() -> None:
    model = Weighted()
    seen = Contributions(GradientReader.of(model, seed=0), dict(model.named_parameters()), lambda position: False)
    for inputs in INPUTS:
        model(inputs).backward()
    assert seen.take([()]).tolist() == [[11.0, 22.0, 33.0, 44.0]]
    model(INPUTS[0]).backward()
    assert seen.take([{0}]).tolist() == [[0.0, 0.0, 0.0, 0.0]]
