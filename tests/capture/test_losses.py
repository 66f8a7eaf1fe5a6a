"""The factor on every loss, found on real backward passes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from accumcheck.capture.losses import Passage, Watched, loss_in

WEIGHT = torch.nn.Parameter(torch.tensor(3.0))


def watched(count: object = None) -> tuple[Watched, torch.Tensor]:
    """A forward that was passed ``count`` and returned a loss of 6."""
    forward, loss = Watched(count), WEIGHT * 2
    forward.returned({"loss": loss})
    return forward, loss


@pytest.mark.parametrize("factor", [1.0, 0.25, 2.0, -3.0])
def test_the_factor_is_what_the_loss_was_multiplied_by_before_it_was_differentiated(factor: float) -> None:
    forward, loss = watched()
    (loss * factor).backward()
    assert forward.passage() == Passage(6.0, factor, None)
    assert forward.passage(loss_scale=2.0) == Passage(6.0, factor / 2, None)


def test_a_loss_that_is_scaled_in_place_is_known_as_it_was_returned() -> None:
    forward, loss = watched()
    loss *= 4
    loss.backward()
    assert forward.passage() == Passage(6.0, 4.0, None)


def test_the_factors_of_two_uses_add_up() -> None:
    forward, loss = watched()
    (loss / 4 + loss / 2).backward()
    assert forward.passage().factor == 0.75


def test_a_loss_that_is_not_differentiated_has_no_factor_and_its_forward_was_not_used() -> None:
    forward, _ = watched()
    (WEIGHT * 5).backward()
    assert forward.passage() == Passage(6.0, None, None)
    assert forward.used is False


def test_a_hook_that_is_given_no_gradient_says_that_nothing_came_back() -> None:
    """Under DDP with ``find_unused_parameters`` torch calls the hooks of outputs that nothing uses with None."""
    forward, loss = watched()
    assert loss._backward_hooks is not None
    (hook,) = [hook for hook in loss._backward_hooks.values() if hook == forward._differentiated]
    hook(None)
    assert forward.passage() == Passage(6.0, None, None)


@pytest.mark.parametrize(
    ("count", "seen"), [(285, 285.0), (torch.tensor(285), 285.0), (torch.tensor([7]), 7.0), (True, None), ("no", None)]
)
def test_the_count_that_was_passed_is_kept_if_it_is_a_number(count: object, seen: float | None) -> None:
    forward, loss = watched(count)
    loss.backward()
    assert forward.passage().token_count == seen


def test_a_forward_without_a_loss_is_used_where_a_gradient_comes_back_to_anything_that_it_returned() -> None:
    forward = Watched()
    logits = WEIGHT * torch.ones(3)
    forward.returned({"hidden": [torch.zeros(2), logits]})
    assert forward.used is False
    logits.sum().backward()
    assert forward.used is True
    assert forward.passage() == Passage(None, None, None)


def test_the_loss_is_found_wherever_models_put_it() -> None:
    class Output:
        loss = WEIGHT

    assert loss_in({"loss": WEIGHT}) is WEIGHT
    assert loss_in(Output()) is WEIGHT
    assert loss_in((WEIGHT, torch.zeros(4))) is WEIGHT
    assert loss_in((torch.zeros(4), torch.zeros(()), WEIGHT)) is WEIGHT
    assert loss_in(WEIGHT) is WEIGHT
    assert loss_in({"logits": torch.zeros(4)}) is None
    assert loss_in(torch.zeros(4)) is None
    assert loss_in({"loss": None}) is None


def test_losses_that_are_differentiated_one_after_the_other_are_described_one_by_one() -> None:
    output = torch.tensor([[1.0], [2.0]], requires_grad=True) * 1.0
    forward = Watched(rows=2)
    forward.returned(output)
    output.sum().backward(retain_graph=True)
    (3 * output).sum().backward()
    assert list(forward.at_outputs) == ["output", "output in backward 2"]
    first, second = forward.at_outputs.values()
    assert first is not None
    assert second is not None
    assert np.allclose(second.gradients, 3 * first.gradients)
    assert np.allclose(second.values, first.values)
