"""Norms of large tensors are added up part by part, as those of small ones are at once."""

from __future__ import annotations

import math

import pytest
import torch

from accumcheck.capture import coordinates
from accumcheck.capture.coordinates import norm_of


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_parts_add_up(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinates, "AT_ONCE", at_once)
    flat = torch.tensor([1.0, -2.0, 4.0, 2.0, 0.0])
    assert norm_of(flat) == pytest.approx(5.0, rel=1e-15)  # 1 + 4 + 16 + 4 = 25
    assert norm_of(flat, torch.tensor([1.0, 0.0, 1.0, -4.0, 0.0])) == pytest.approx(7.0, rel=1e-15)  # 4 + 9 + 36
    assert norm_of(torch.zeros(0)) == 0
    assert math.isnan(norm_of(torch.tensor([math.inf, 1.0, math.nan])))


def test_narrow_differences_are_taken_in_float32() -> None:
    one, other = torch.tensor([256.0], dtype=torch.bfloat16), torch.tensor([-1.0], dtype=torch.bfloat16)
    assert norm_of(one, other) == 257.0  # which bfloat16 would round to 256
