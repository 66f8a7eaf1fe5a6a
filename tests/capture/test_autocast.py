"""Mixed precision that a program turns on by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from accumcheck.capture.autocast import AutocastWatch

X = torch.ones(2, 3)


def around(model: torch.nn.Module) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(X)


def within(model: torch.nn.Module) -> None:
    model.forward = torch.autocast("cpu", dtype=torch.bfloat16)(model.forward)
    model(X)


@pytest.mark.parametrize(
    ("call", "dtype"), [(around, torch.bfloat16), (within, torch.bfloat16), (lambda model: model(X), None)]
)
def test_it_is_seen_where_modules_compute(call: Callable[[torch.nn.Module], None], dtype: torch.dtype | None) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    watch = AutocastWatch(model)
    call(model)
    watch.stop()
    assert watch.dtype is dtype


def test_an_evaluation_says_nothing() -> None:
    model = torch.nn.Linear(3, 1)
    watch = AutocastWatch(model)
    with torch.no_grad():
        around(model)
    watch.stop()
    assert watch.dtype is None
