"""Optimizers of all kinds: the gradient that is read is the one that changes the parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from accumcheck.capture.applied import StepWatch, parameters_in, scale_of


class Seen:
    """Keeps the last gradient of each step of each optimizer."""

    def __init__(self) -> None:
        self.begun: list[torch.optim.Optimizer] = []
        self.ended: list[torch.optim.Optimizer] = []
        self.gradients: list[torch.Tensor] = []
        self.closures = 0
        self.watch = StepWatch()
        self.watch.tell(self)

    def step_begins(self, optimizer: torch.optim.Optimizer) -> None:
        self.begun.append(optimizer)
        self.gradients.append(torch.zeros(0))

    def closure_begins(self, *, again: bool) -> None:
        self.closures += 1

    def step_applies(self, optimizer: torch.optim.Optimizer) -> None:
        (parameter,) = parameters_in(optimizer)
        assert parameter.grad is not None
        scale = scale_of(optimizer)
        self.gradients[-1] = parameter.grad.clone() if scale is None else parameter.grad / scale

    def step_ended(self, optimizer: torch.optim.Optimizer) -> None:
        self.ended.append(optimizer)


@pytest.fixture
def seen() -> Any:
    found = Seen()
    yield found
    found.watch.stop()


def parameter() -> torch.nn.Parameter:
    made = torch.nn.Parameter(torch.ones(2))
    made.grad = torch.tensor([1.0, 2.0])
    return made


def test_what_an_optimizers_own_hook_has_done_is_seen(seen: Seen) -> None:
    optimizer = torch.optim.SGD([parameter()], lr=0.0)
    optimizer.step()  # ours is on by now; the program's comes later, and must still come first

    def double(one: torch.optim.Optimizer, *_: Any) -> None:
        for held in parameters_in(one):
            assert held.grad is not None
            held.grad.mul_(2)

    optimizer.register_step_pre_hook(double)
    optimizer.step()
    assert seen.gradients[1].tolist() == [2.0, 4.0]


def test_the_gradient_that_a_closure_makes_is_seen(seen: Seen) -> None:
    held = parameter()
    optimizer = torch.optim.AdamW([held], lr=0.0)

    def closure() -> float:
        held.grad = torch.tensor([5.0, 6.0])
        return 1.0

    assert optimizer.step(closure) == 1.0
    assert seen.gradients[0].tolist() == [5.0, 6.0]
    assert seen.watch.closures == 1


class Halving(torch.optim.SGD):
    """Changes the gradient in its own step, and lets its base do the rest."""

    def step(self, closure: Any = None) -> Any:
        for held in parameters_in(self):
            assert held.grad is not None
            held.grad.mul_(0.5)
        return super().step(closure)


def test_a_step_that_calls_the_step_of_its_base_is_one_and_its_own_change_is_seen(seen: Seen) -> None:
    torch.optim.SGD([parameter()], lr=0.0)  # a plain one: torch now hooks the base's step too
    optimizer = Halving([parameter()], lr=0.0)
    optimizer.step()
    assert seen.begun == seen.ended == [optimizer]
    assert seen.gradients[0].tolist() == [0.5, 1.0]


def test_the_scale_that_a_fused_optimizer_divides_out_is_none_of_the_gradient(seen: Seen) -> None:
    held = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([held], lr=0.0, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale((held * torch.tensor([1.0, 2.0])).sum()).backward()
    assert held.grad is not None
    assert held.grad.tolist() == [1024.0, 2048.0]
    scaler.step(optimizer)
    assert seen.gradients[0].tolist() == [1.0, 2.0]


def test_after_the_end_nothing_is_seen(seen: Seen) -> None:
    optimizer = torch.optim.SGD([parameter()], lr=0.0)
    optimizer.step()
    seen.watch.stop()
    optimizer.step()
    assert len(seen.begun) == 1


class Base(torch.optim.Optimizer):
    """Of which no object is made, so that torch puts no hooks on its step."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.0})

    def step(self, closure: Any = None) -> Any:
        return closure() if closure is not None else None


class Doubling(Base):
    """Changes gradients in its own step, then calls that of its base."""

    def step(self, closure: Any = None) -> Any:
        for held in parameters_in(self):
            assert held.grad is not None
            held.grad.mul_(2)
        return super().step(closure)


def test_what_a_step_does_to_gradients_before_it_calls_its_base_is_seen() -> None:
    plain = Base.step
    found = Seen()
    optimizer = Doubling([parameter()])
    optimizer.step()
    assert [gradient.tolist() for gradient in found.gradients] == [[2.0, 4.0]]
    assert (found.begun, found.ended) == ([optimizer], [optimizer])
    found.watch.stop()
    assert Base.step is plain


def test_a_step_without_a_base_is_read_when_it_begins(seen: Seen) -> None:
    torch.optim.SGD([parameter()], lr=0.0).step()
    assert [gradient.tolist() for gradient in seen.gradients] == [[1.0, 2.0]]
