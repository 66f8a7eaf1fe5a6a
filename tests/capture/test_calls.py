"""Outermost calls of the modules that a loop trains."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from accumcheck.capture.calls import CallWatch


class Layered(torch.nn.Module):
    """Keeps no activations of its inner layer: these are computed anew in the backward pass."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.inner = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
        self.reentrant = reentrant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = checkpoint(self.inner, self.first(x), use_reentrant=self.reentrant)
        return result


@pytest.mark.parametrize("reentrant", [True, False])
def test_activations_that_are_computed_anew_are_no_call(reentrant: bool) -> None:
    calls: list[tuple[Any, list[str]]] = []
    watch = CallWatch(lambda module, batch: calls.append((module, list(batch))), lambda *_: None)
    model = Layered(reentrant=reentrant)
    watch.watch(model.modules())
    for _ in range(2):
        model(torch.ones(2, 3)).sum().backward()
    watch.stop()
    assert calls == [(model, ["x"])] * 2
