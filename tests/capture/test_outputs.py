"""What a loss does to each row of a model's outputs: derivatives written out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, pad

from accumcheck.capture.losses import Watched
from accumcheck.capture.outputs import Described, described, outputs_of
from accumcheck.capture.windows import Call, Group, micro_batches_of


def row_by_row(gradient: torch.Tensor, output: torch.Tensor, rows: int) -> Described:
    found = described(gradient, output, rows)
    assert found is not None
    return found


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def test_a_description_is_multiplied_by_the_factor_of_what_it_describes() -> None:
    gradient, output = drawn(3, 5, 7), drawn(3, 5, 7)
    once, twice = (row_by_row(gradient * times, output, 3) for times in (1, 2))
    assert once.gradients.shape[0] == 3
    assert np.allclose(2 * once.gradients, twice.gradients)
    assert np.allclose(once.values, twice.values)


def test_padding_without_a_derivative_changes_nothing() -> None:
    gradient, output = drawn(2, 5, 7), drawn(2, 5, 7)
    longer = pad(gradient, (0, 0, 2, 3)), pad(output, (0, 0, 2, 3), value=9.0)
    short, long = row_by_row(gradient, output, 2), row_by_row(*longer, 2)
    assert np.allclose(short.gradients, long.gradients, atol=1e-5)
    assert np.allclose(short.values, long.values, atol=1e-5)


def test_two_random_derivatives_have_different_descriptions() -> None:
    one = row_by_row(drawn(4, 7), drawn(4, 7), 4).gradients
    cosines = one @ one.T / np.outer(np.linalg.norm(one, axis=1), np.linalg.norm(one, axis=1))
    assert (cosines[~np.eye(4, dtype=bool)] < 0.99).all()


def test_rows_may_be_the_second_dimension() -> None:
    gradient, output = drawn(6, 3, 7), drawn(6, 3, 7)
    first, second = row_by_row(gradient.transpose(0, 1), output.transpose(0, 1), 3), row_by_row(gradient, output, 3)
    assert np.allclose(first.gradients, second.gradients)


@pytest.mark.parametrize("shape", [(), (5,), (5, 4)])
def test_what_has_no_part_for_each_row_is_not_described(shape: tuple[int, ...]) -> None:
    assert described(drawn(*shape), drawn(*shape), 3) is None


def window(*forwards: Watched, rows: int = 2) -> tuple[list[Group], list[Any]]:
    groups = [
        Group([Call(0, tuple(range(at * rows, (at + 1) * rows)), one)], backward=True)
        for at, one in enumerate(forwards)
    ]
    return groups, micro_batches_of(groups, len(groups))


def two_heads(x: torch.Tensor, weights: torch.Tensor) -> tuple[Watched, torch.Tensor, torch.Tensor]:
    forward = Watched(None, len(x))
    output = {"classes": x @ weights, "value": (x @ weights)[:, 0]}
    forward.returned(output)
    return forward, output["classes"], output["value"]


def test_each_output_shows_the_denominator_of_its_own_term() -> None:
    weights, rows = drawn(4, 3).requires_grad_(), drawn(4, 4)
    forwards = []
    for x, count in ((rows[:2], 2.0), (rows[2:], 8.0)):
        forward, classes, value = two_heads(x, weights)
        (cross_entropy(classes, torch.tensor([0, 1])) + (value**2).sum() / count).backward()
        forwards.append(forward)
    seen = outputs_of(*window(*forwards), 1.0)
    assert seen is not None
    assert (seen.names, seen.entries, seen.batches.tolist()) == (("classes", "value"), (3, 1), [0, 0, 1, 1])
    # d/dv of v^2 / count, whose norm stands last: 2 |v| / count
    expected = 2 * (rows @ weights.detach())[:, 0].abs() / torch.tensor([2.0, 2.0, 8.0, 8.0])
    assert np.allclose(seen.gradients[:, 1, -1], expected.numpy(), rtol=1e-5)


def test_the_scale_of_a_float16_loss_is_taken_out() -> None:
    found = []
    for scale in (1.0, 1024.0):
        forward, classes, _ = two_heads(drawn(2, 4), drawn(4, 3).requires_grad_())
        (classes.sum() * scale).backward()
        seen = outputs_of(*window(forward), scale)
        assert seen is not None
        found.append(seen.gradients)
    assert np.allclose(found[0], found[1])


def test_nothing_is_known_if_a_gradient_comes_back_to_a_number_for_the_whole_micro_batch() -> None:
    weights = drawn(4, 3).requires_grad_()
    forward = Watched(None, 2)
    logits = drawn(2, 4) @ weights
    loss = cross_entropy(logits, torch.tensor([0, 1]))
    forward.returned({"loss": loss, "logits": logits})
    loss.backward()
    assert outputs_of(*window(forward), 1.0) is None


def test_outputs_are_not_described_where_rows_are_not_wanted() -> None:
    forward, classes, _ = two_heads(drawn(2, 4), drawn(4, 3).requires_grad_())
    forward.rows = 0
    classes.sum().backward()
    assert forward.used
    assert not forward.at_outputs
