"""Fixed random numbers for a forward pass that draws some."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from accumcheck.config.model import ModelConfig
from accumcheck.workload import assemble
from accumcheck.workload.same_draws import SameDraws, hold_draws
from tests.workload.tiny import check


class Noisy(torch.nn.Module):
    """Adds noise to every row; counts its calls."""

    def __init__(self, draw: Any) -> None:
        super().__init__()
        self.draw = draw
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        noise: torch.Tensor = self.draw(x)
        return x + noise


def _held(module: Any, x: torch.Tensor) -> bool:
    return hold_draws(module, lambda: module(x).sum())


def test_a_row_gets_the_same_numbers_alone_and_in_a_batch() -> None:
    with SameDraws():
        batch, alone = torch.rand(3, 20), torch.rand(1, 20)

    assert all(torch.equal(row, alone[0]) for row in batch)
    assert len(set(alone[0].tolist())) == 20
    assert 0 <= float(alone.min()) < float(alone.max()) < 1


def test_numbers_keep_their_distribution_and_bounds() -> None:
    with SameDraws():
        normal, filled = torch.randn(1, 4000), torch.empty(2, 4000).uniform_(3, 5)

    assert abs(float(normal.mean())) < 0.1
    assert abs(float(normal.std()) - 1) < 0.1
    assert torch.equal(filled[0], filled[1])
    assert 3 <= float(filled.min()) < 3.1
    assert 4.9 < float(filled.max()) <= 5


def test_the_generator_of_the_process_goes_on_as_usual_outside() -> None:
    with SameDraws():
        torch.rand(4)
    assert not torch.equal(torch.rand(4), torch.rand(4))


def test_a_random_forward_becomes_repeatable_and_independent_of_its_batch() -> None:
    module, x = Noisy(lambda x: torch.rand_like(x)), torch.arange(6.0).reshape(2, 3)

    assert _held(module, x)
    first = module(x)
    assert torch.equal(first, module(x))
    assert torch.equal(first[1:], module(x[1:]))
    assert not torch.equal(first, x)


def test_a_forward_that_is_not_random_is_left_alone() -> None:
    module = Noisy(torch.zeros_like)

    assert not _held(module, torch.ones(2, 3))
    assert not module._forward_hooks
    assert not module._forward_pre_hooks


def test_a_forward_that_depends_on_its_calls_is_left_alone() -> None:
    module = Noisy(lambda x: x * 0)
    module.draw = lambda x: torch.full_like(x, float(module.calls))

    assert not _held(module, torch.ones(2, 3))
    assert not module._forward_hooks


def test_the_mode_ends_with_a_forward_that_fails() -> None:
    module = Noisy(torch.rand_like)
    assert _held(module, torch.ones(2, 3))

    with pytest.raises(TypeError):
        module("no tensor")
    assert not torch.equal(torch.rand(2, 3), torch.rand(2, 3))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_no_draws_are_fixed_where_checkpointed_layers_would_draw_again(
    checkpointing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Any] = []
    monkeypatch.setattr(assemble, "hold_draws", lambda model, _: held.append(model))
    model = ModelConfig(config={"model_type": "llama"}, shrink=True)
    arguments = {"gradient_checkpointing": checkpointing}
    assemble.build_workload(replace(check(model, max_length=8), training_arguments=arguments), "cpu")
    assert bool(held) != checkpointing
