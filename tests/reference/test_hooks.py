"""Hooks of a program on its parameters: kept where the control applies what they make, and left out elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from accumcheck.capture.coordinates import GradientReader
from accumcheck.reference.hooks import hooked_parameters, leave_out_hooks

K = 8
ROWS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))


def model() -> torch.nn.Linear:
    torch.manual_seed(1)
    return torch.nn.Linear(3, 2)


def loss_of(net: torch.nn.Module, row: torch.Tensor) -> tuple[torch.Tensor, int]:
    return net(row).square().mean(), 1


def gradients(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The mean gradient over the rows, without any hook."""
    names = dict(net.named_parameters())
    loss = torch.stack([loss_of(net, row)[0] for row in ROWS]).mean()
    return dict(zip(names, torch.autograd.grad(loss, list(names.values())), strict=True))


def left_out(
    net: torch.nn.Module, control: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> tuple[str, ...]:
    """What is left out if the control applies this; and the gradient is then read once more."""
    applied = control(gradients(model()))
    entries = np.concatenate([one.reshape(-1).numpy() for one in applied.values()])
    losses = [lambda row=row: loss_of(net, row) for row in ROWS]
    return leave_out_hooks(net, hooked_parameters(net), losses, GradientReader.of(net, seed=0), entries)


def gradient_now(net: torch.nn.Linear) -> torch.Tensor:
    torch.autograd.backward(torch.stack([loss_of(net, row)[0] for row in ROWS]).mean())
    assert net.weight.grad is not None
    return net.weight.grad


@pytest.mark.parametrize("times", [1.0, 2.0, 0.25])
def test_a_hook_that_multiplies_by_k_is_left_out(times: float) -> None:
    net = model()
    net.weight.register_hook(lambda gradient: gradient * K)
    assert left_out(net, lambda right: {name: times * one for name, one in right.items()}) == ("weight",)
    assert torch.allclose(gradient_now(net), gradients(model())["weight"])


def test_one_that_runs_after_accumulation_is_left_out_too() -> None:
    net = model()

    def multiply(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        parameter.grad *= K

    net.weight.register_post_accumulate_grad_hook(multiply)
    assert left_out(net, lambda right: right) == ("weight",)
    assert torch.allclose(gradient_now(net), gradients(model())["weight"])


@pytest.mark.parametrize("times", [1.0, 4.0])
def test_one_that_masks_rows_as_in_the_control_stays(times: float) -> None:
    mask = torch.tensor([[1.0], [0.0]])
    net = model()
    net.weight.register_hook(lambda gradient: gradient * mask)

    def control(right: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"weight": times * right["weight"] * mask, "bias": times * right["bias"]}

    assert left_out(net, control) == ()
    assert torch.allclose(gradient_now(net), gradients(model())["weight"] * mask)


def test_a_model_without_hooks_has_none() -> None:
    assert hooked_parameters(model()) == {}
