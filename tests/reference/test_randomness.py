"""Forward passes that are random, in the ways in which users' models are."""

from __future__ import annotations

import random

import pytest
import torch

from accumcheck.reference.randomness import is_stateful, random_forward

X = torch.linspace(-1.0, 1.0, 12).reshape(2, 6)


class Bare(torch.nn.Module):
    """Dropout as a function: no module of it is there to be switched off."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(torch.nn.functional.dropout(x, 0.5, self.training))


class Skipping(torch.nn.Module):
    """Leaves a layer out by the toss of Python's coin."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) if random.random() < 0.5 else x


class Model(torch.nn.Module):
    def __init__(self, block: torch.nn.Module) -> None:
        super().__init__()
        self.first, self.block, self.last = torch.nn.Linear(6, 6), block, torch.nn.Linear(6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.block(self.first(x)))


@pytest.mark.parametrize(
    ("block", "named"),
    [(Bare(), "block (Bare)"), (torch.nn.Dropout(0.5), "block (Dropout)"), (Skipping(), "block (Skipping)")],
)
def test_the_module_that_draws_random_numbers_is_named(block: torch.nn.Module, named: str) -> None:
    random.seed(1)
    torch.manual_seed(0)
    model = Model(block)
    found = random_forward(model, lambda: model(X))
    assert found is not None
    assert found.module == named
    assert found.apart > 1e-3


def test_a_forward_that_draws_nothing_is_not_random() -> None:
    model = Model(torch.nn.BatchNorm1d(6))  # its running statistics change, its result does not
    assert random_forward(model, lambda: model(X)) is None


def test_noise_of_the_caller_belongs_to_no_module() -> None:
    model = Model(torch.nn.Identity())
    found = random_forward(model, lambda: model(X + torch.randn_like(X)))
    assert found is not None
    assert found.module == ""


def test_what_counts_its_calls_is_no_randomness() -> None:
    calls = 0

    def counting() -> torch.Tensor:
        nonlocal calls
        calls += 1
        return X * calls

    before = random.getstate()
    assert is_stateful(counting)
    assert not is_stateful(lambda: X + torch.randn_like(X))
    assert random.getstate() == before
