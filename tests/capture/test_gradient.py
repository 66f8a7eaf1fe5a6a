"""One step's gradient, and how far the norm that torch clips by is rounded."""

from __future__ import annotations

import pytest
import torch

from accumcheck.capture import coordinates
from accumcheck.capture.coordinates import GradientReader, Reading
from accumcheck.capture.gradient import put_together


def two_parameters() -> GradientReader:
    return GradientReader.of(torch.nn.Linear(1, 1), seed=0)


def reading(norm: float, own: float | None) -> Reading:
    return Reading(torch.tensor([norm]).numpy(), norm, torch.float32, own_norm=own)


@pytest.mark.parametrize(
    ("own", "rounding"),
    [
        (None, 0.0),
        (4.0, 0.0),
        (3.0, 1 - (3**2 + 3**2) ** 0.5 / 5),  # the whole norm is 5, and is taken for the root of 18
        (float("inf"), 0.0),  # an overflow is no rounding
        (float("nan"), 0.0),
    ],
)
def test_the_rounding_is_that_of_the_whole_norm(own: float | None, rounding: float) -> None:
    found = put_together(two_parameters(), {0: reading(3.0, None), 1: reading(4.0, own)}, {}, [])
    assert found.norm == pytest.approx(5.0)
    assert found.norm_rounding == pytest.approx(rounding)


def test_the_norm_of_a_large_gradient_is_also_computed_as_torch_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinates, "AT_ONCE", 3)
    reader = GradientReader.of(torch.nn.Linear(4, 1), seed=0)
    large = torch.tensor([1.0, 1 / 4096, 1 / 4096, 1 / 4096])  # in bfloat16, the small ones are lost
    found = reader.part(0, large.to(torch.bfloat16))
    assert found.norm == pytest.approx((1 + 3 / 4096**2) ** 0.5, rel=1e-12)
    assert found.own_norm == 1.0
    half = found.over(2.0)
    assert half.own_norm == 0.5
    assert reader.part(1, torch.ones(1)).own_norm is None
