"""The noise floor, on a model so small that it can be worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.record import Divergence
from accumcheck.reference.noise import Noise, RightAnswer, _passes, measure_noise
from accumcheck.workload.assemble import Workload

SAMPLES = [{"x": torch.tensor([value, 1.0], dtype=torch.float64)} for value in (1.0, 2.0, 3.0, 6.0)]
TOKENS = np.ones(4, dtype=np.int64)
TRUTH = RightAnswer(loss=4.0, gradient=np.array([3.0, 1.0]), grad_norm=float(np.sqrt(10)))
"""Of the mean of ``w . x`` at ``w = (1, 1)``: the mean of x is (3, 1)."""


def measured(
    loss_of: Callable[[Any], tuple[torch.Tensor, int]],
    shapes: list[int],
    dtype: str = "float64",
    truth: RightAnswer = TRUTH,
) -> Noise:
    model = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    torch.nn.init.ones_(model.weight)

    def collator(rows: list[dict[str, torch.Tensor]]) -> dict[str, Any]:
        return {"x": torch.stack([row["x"] for row in rows]), "model": model}

    workload = Workload(model, SAMPLES, collator)  # type: ignore[arg-type]
    reader = GradientReader.of(model, seed=0)
    return measure_noise(workload, loss_of, [0, 1, 2, 3], TOKENS, truth, reader, shapes, dtype)


def plain(batch: Any) -> tuple[torch.Tensor, int]:
    return batch["model"](batch["x"]).mean(), len(batch["x"])


def test_what_sums_alike_in_every_order_has_no_noise() -> None:
    found = measured(plain, [1, 2, 4])
    # 24 degrees of freedom would take seven passes of four samples: there are six
    orders = ["last sample first"] + ["shuffled"] * 5
    assert [(one.order, one.size) for one in found.passes] == list(zip(orders, (1, 2, 4, 1, 2, 4), strict=True))
    assert len({one.factor for one in found.passes}) == 6
    assert [one.loss_unit for one in found.passes] == [2.0**-53] * 6
    assert found.batch_effect == 0
    assert found.floor.gradient == pytest.approx(0, abs=1e-15)
    assert found.floor.loss == pytest.approx(2.0**-53)  # half a unit in the last place of a float64
    for one in found.passes:
        assert one.gradient == pytest.approx([3, 1])


def test_no_two_passes_take_the_samples_in_one_order() -> None:
    """Sums that depend on the row order would agree, and would hide the error of a split in another order."""
    orders = [one.order for one in _passes(list(range(15)), [1, 3, 15])]
    assert len(orders) == 3
    assert len(set(orders)) == len(orders)
    assert all(sorted(order) == list(range(15)) for order in orders)


def test_the_largest_of_the_passes_is_the_floor() -> None:
    def off(batch: Any) -> tuple[torch.Tensor, int]:  # 1e-6 too large for pairs, 4e-6 for all together
        loss, rows = plain(batch)
        return loss * (1 + {1: 0.0, 2: 1e-6, 4: 4e-6}[rows]), rows

    found = measured(off, [1, 2, 4])
    assert found.floor == Divergence(*(cast(float, pytest.approx(4e-6)),) * 3)
    assert [one.apart.gradient for one in found.passes] == pytest.approx([0, 1e-6, 4e-6] * 2, abs=1e-12)


def test_a_loss_is_known_no_closer_than_its_own_dtype() -> None:
    """bfloat16 has 8 binary digits: 4.0 it holds exactly, and yet a neighbour of 4.0 may be meant."""

    def coarse(batch: Any) -> tuple[torch.Tensor, int]:
        loss, rows = plain(batch)
        return loss.to(torch.bfloat16), rows

    found = measured(coarse, [4], "bfloat16")
    assert found.floor.loss == 2.0**-8
    assert found.floor.gradient == pytest.approx(0, abs=1e-15)


def test_what_is_too_large_for_rounding_is_the_batches_doing() -> None:
    def depends(batch: Any) -> tuple[torch.Tensor, int]:
        loss, rows = plain(batch)
        return loss * (1.5 if rows == 4 else 1.0), rows

    found = measured(depends, [1, 4])
    assert found.batch_effect == pytest.approx(0.5)
    assert {one.size for one in found.passes} == {1}
    assert found.floor.gradient == pytest.approx(0, abs=1e-15)


NOTHING = RightAnswer(loss=0.0, gradient=np.zeros(2), grad_norm=0.0)


def test_a_loss_that_one_sample_alone_has_not_depends_on_the_batch() -> None:
    """As a contrastive loss does: alone, a sample has nothing to be told from."""

    def contrasts(batch: Any) -> tuple[torch.Tensor, int]:
        loss, rows = plain(batch)
        return loss * (0.0 if rows == 1 else 1.0), rows

    found = measured(contrasts, [1, 4], truth=NOTHING)
    assert found.batch_effect == 1  # all of what is found
    assert {one.size for one in found.passes} == {1}
    assert (found.floor.grad_norm, found.floor.gradient) == (0, 0)


def test_a_loss_without_a_gradient_in_any_batch_depends_on_none() -> None:
    def vanishes(batch: Any) -> tuple[torch.Tensor, int]:
        loss, rows = plain(batch)
        return loss * 0.0, rows

    assert measured(vanishes, [1, 4], truth=NOTHING).batch_effect == 0


def test_a_pass_that_overflows_measures_nothing() -> None:
    def overflows(batch: Any) -> tuple[torch.Tensor, int]:
        loss, rows = plain(batch)
        return loss * (float("inf") if rows == 4 else 1.0), rows

    assert {one.size for one in measured(overflows, [1, 4]).passes} == {1}
    nothing = measured(overflows, [4])
    assert (nothing.floor, nothing.batch_effect) == (Divergence(None, None, None), 0)


def test_each_pass_back_propagates_another_number_and_takes_it_out_again() -> None:
    seen: list[float] = []

    def watched(batch: Any) -> tuple[torch.Tensor, int]:
        loss, rows = plain(batch)
        loss.register_hook(lambda gradient: seen.append(float(gradient)))
        return loss, rows

    found = measured(watched, [4])
    assert seen == [one.factor for one in found.passes]
    assert seen[0] == 1.0
    assert all(1 < factor < 2 for factor in seen[1:])
    # exact in eight binary digits, as bfloat16 has them
    assert all(float(torch.tensor(factor, dtype=torch.bfloat16)) == factor for factor in seen)
    for one in found.passes:
        assert one.gradient == pytest.approx([3, 1], abs=1e-15)


@pytest.mark.parametrize(("samples", "shapes", "passes"), [(4, [4], 6), (8, [1, 8], 4), (24, [1, 24], 2), (1, [1], 6)])
def test_of_many_samples_few_passes_are_enough(samples: int, shapes: list[int], passes: int) -> None:
    """24 degrees of freedom: each pass but one gives as many as there are samples. There are no more than six."""
    assert len(list(_passes(range(samples), shapes))) == passes
