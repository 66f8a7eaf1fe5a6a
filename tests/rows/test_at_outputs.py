"""Rows in two runs, compared at a model's outputs; derivatives are those of losses written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from accumcheck.capture.outputs import described
from accumcheck.record.outputs import OutputRows
from accumcheck.rows.at_outputs import chosen, compared, joined, unmixed

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

ROWS = 8
OUTPUTS = torch.randn(ROWS, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(ROWS) % 5


def seen(loss: Loss, size: int, outputs: torch.Tensor = OUTPUTS) -> OutputRows:
    """What a loss does to the outputs of a model in micro-batches of this size."""
    parts = []
    for start in range(0, ROWS, size):
        part = outputs[start : start + size].clone().requires_grad_()
        loss(part, LABELS[start : start + size]).backward()
        assert part.grad is not None
        found = described(part.grad, part, size)
        assert found is not None
        batches = np.zeros(size, dtype=np.int64)
        parts.append(
            OutputRows(("logits",), (found.entries,), batches, found.gradients[:, None], found.values[:, None])
        )
    whole = joined(parts)
    assert whole is not None
    return whole


def weighted(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """A mean with class weights: every row has its own weight, and every micro-batch its own denominator."""
    return cross_entropy(logits, labels, weight=torch.arange(1.0, 6.0))


def contrast(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    unit = normalize(logits, dim=-1)
    return cross_entropy(unit @ unit.T / 0.5, torch.arange(len(logits)))


def hardest(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Without a term between rows that could be differentiated: targets are made of the other rows."""
    return (logits - (labels[:, None] + logits.detach().mean(0))).square().mean()


def scores(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Pairs of scores, of which each row is better than those after it: derivatives with a single entry."""
    pairs = (logits[:, None] - logits).squeeze(-1)
    return -torch.nn.functional.logsigmoid(pairs.triu()).sum() / len(logits) + logits.square().mean()


@pytest.mark.parametrize("size", [1, 2, 4])
def test_rows_that_are_only_weighted_are_not_mixed(size: int) -> None:
    assert unmixed(seen(weighted, 8), seen(weighted, size), "float32") == "row"


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("loss", [contrast, hardest])
def test_rows_that_are_compared_are_mixed(loss: Loss, size: int) -> None:
    assert unmixed(seen(loss, 8), seen(loss, size), "float32") is None


def test_one_entry_is_always_parallel_so_its_factor_must_be_one_for_a_micro_batch() -> None:
    single = OUTPUTS[:, :1] + 10.0  # all derivatives have the same sign
    assert unmixed(seen(scores, 8, single), seen(scores, 4, single), "float32") is None
    mean: Loss = lambda logits, _: logits.square().mean()  # noqa: E731
    assert unmixed(seen(mean, 8, single), seen(mean, 4, single), "float32") == "row"


def test_rows_whose_outputs_change_with_their_neighbours_are_mixed() -> None:
    assert unmixed(seen(weighted, 8), seen(weighted, 4, OUTPUTS * 1.01), "float32") is None


def test_nothing_is_known_of_other_outputs_or_without_derivatives() -> None:
    one = seen(weighted, 8)
    other = OutputRows(("other",), one.entries, one.batches, one.gradients, one.values)
    assert unmixed(one, other, "float32") is None
    none = OutputRows(one.names, one.entries, one.batches, one.gradients * 0, one.values * 0)
    assert unmixed(none, none, "float32") is None


def test_factors_are_those_of_the_denominators() -> None:
    found = compared(seen(weighted, 8), seen(weighted, 4), "float32")
    assert found is not None
    # sums of class weights: of rows 0 to 3, of rows 4 to 7, of all
    first, second = 1 + 2 + 3 + 4, 5 + 1 + 2 + 3
    expected = [first / (first + second)] * 4 + [second / (first + second)] * 4
    assert found.times[:, 0] == pytest.approx(expected, rel=1e-4)


def order(seed: int) -> Sequence[int]:
    return np.random.default_rng(seed).permutation(ROWS).tolist()


def test_rows_can_be_put_in_another_order() -> None:
    rows = order(3)
    assert unmixed(chosen(seen(weighted, 8), rows), chosen(seen(weighted, 2), rows), "float32") == "row"
    assert unmixed(chosen(seen(weighted, 8), rows), seen(weighted, 2), "float32") is None
