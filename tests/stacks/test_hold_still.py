"""Weights held still in a program's own optimizers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch

from accumcheck.capture.patches import Patches
from accumcheck.errors import RefusedError
from accumcheck.stacks.programs.run import check_one_set_of_weights
from accumcheck.stacks.updates.hold_still import HoldStill


@pytest.fixture
def patches() -> Iterator[Patches]:
    with Patches(()) as patches:
        yield patches


def parameter() -> torch.nn.Parameter:
    made = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    made.grad = torch.tensor([4.0, 8.0])
    return made


class Twice(torch.optim.SGD):
    """Moves weights after the step of its base, too."""

    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        for group in self.param_groups:
            for one in group["params"]:
                one.data.mul_(0.5)


def moved(held: torch.nn.Parameter, optimizer: torch.optim.Optimizer, patches: Patches) -> list[list[float]]:
    """By how much the weights had changed each time before they were put back."""
    found = []

    def changed(before: Mapping[int, torch.Tensor]) -> None:
        found.append((held.detach() - before[id(held)]).tolist())

    HoldStill(patches, changed)
    for _ in range(2):
        optimizer.step()
        assert held.tolist() == [1.0, -2.0]
    return found


def test_weights_are_put_back_and_the_change_is_seen(patches: Patches) -> None:
    held = parameter()
    optimizer = torch.optim.SGD([held], lr=0.25, momentum=0.5)
    # the second step has half of the first one's direction beside its own: the optimizer's state is its own
    assert moved(held, optimizer, patches) == [[-1.0, -2.0], [-1.5, -3.0]]
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_a_step_that_calls_its_bases_is_one_step(patches: Patches) -> None:
    held = parameter()
    # 1 - 1 = 0 and -2 - 2 = -4, halved: 0 and -2
    assert moved(held, Twice([held], lr=0.25), patches) == [[-1.0, 0.0], [-1.0, 0.0]]


def test_an_optimizer_that_has_read_its_learning_rate_already_is_held_too(patches: Patches) -> None:
    held = parameter()
    optimizer = torch.optim.LBFGS([held], lr=0.5, max_iter=1)
    still: list[HoldStill] = []

    def closure() -> torch.Tensor:
        if not still:  # the training begins here
            still.append(HoldStill(patches, lambda before: None))
            still[0].begin(optimizer)
        held.grad = torch.tensor([4.0, 8.0])
        return torch.tensor(1.0)

    optimizer.step(closure)
    assert held.tolist() == [1.0, -2.0]


def test_without_a_copy_the_learning_rate_is_0_during_the_step_and_itself_after_it(patches: Patches) -> None:
    held = parameter()
    optimizer = torch.optim.AdamW([held], lr=0.25, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)  # from the last learning rate
    HoldStill(patches, None)
    for rate in (0.25, 0.125):
        assert optimizer.param_groups[0]["lr"] == rate
        optimizer.step()
        schedule.step()
        assert held.tolist() == [1.0, -2.0]
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def test_when_it_has_ended_weights_move(patches: Patches) -> None:
    held = parameter()
    optimizer = torch.optim.SGD([held], lr=0.25)
    HoldStill(patches, None)
    patches.undo()
    optimizer.step()
    assert held.tolist() == [0.0, -4.0]


class Delegating(torch.optim.Optimizer):
    """Hands its parameters to an optimizer inside, then changes them once more.

    So does one that is spread over processes, when it is sent the others' parts.
    """

    def __init__(self, held: torch.nn.Parameter) -> None:
        super().__init__([held], {"lr": 0.25})
        self.inner = torch.optim.SGD([held], lr=0.25)

    def step(self, closure: Any = None) -> Any:
        self.inner.step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                for one in group["params"]:
                    one.mul_(0.5)


def test_weights_are_put_back_when_the_outermost_step_has_ended(patches: Patches) -> None:
    held = parameter()
    # 1 - 1 = 0 and -2 - 2 = -4, halved: 0 and -2
    assert moved(held, Delegating(held), patches) == [[-1.0, 0.0], [-1.0, 0.0]]


def held_with(held: torch.nn.Parameter, patches: Patches) -> tuple[HoldStill, list[list[float]]]:
    """Held still with all of its weights, and by how much the weights had changed each time."""
    found: list[list[float]] = []

    def changed(before: Mapping[int, torch.Tensor]) -> None:
        found.append((held.detach() - before[id(held)]).tolist())

    return HoldStill(patches, changed, [held]), found


def decay(held: torch.nn.Parameter) -> None:
    with torch.no_grad():
        held.mul_(0.5)


def test_what_the_program_does_to_its_weights_after_a_step_is_seen_and_put_back(patches: Patches) -> None:
    held = parameter()
    still, found = held_with(held, patches)
    optimizer = torch.optim.SGD([held], lr=0.25)
    for _ in range(2):
        optimizer.step()
        decay(held)
        still.settle(over=True)
        assert held.tolist() == [1.0, -2.0]
    # the step, then the decay of the weights that were put back
    assert found == [[-1.0, -2.0], [-0.5, 1.0]] * 2


def test_what_the_program_does_to_its_weights_before_a_step_is_part_of_its_change(patches: Patches) -> None:
    held = parameter()
    still, found = held_with(held, patches)
    decay(held)
    torch.optim.SGD([held], lr=0.25).step()
    assert held.tolist() == [1.0, -2.0]
    still.settle(over=True)
    assert found == [[-1.5, -1.0]]  # from (1, -2) to (0.5 - 1, -1 - 2)


def test_weights_that_nothing_has_changed_are_not_reported(patches: Patches) -> None:
    held = parameter()
    still, found = held_with(held, patches)
    still.settle(over=True)
    assert found == []


def test_a_model_without_copies_keeps_what_the_program_does_to_it(patches: Patches) -> None:
    held = parameter()
    still = HoldStill(patches, None, [held])
    decay(held)
    still.settle(over=True)
    assert held.tolist() == [0.5, -1.0]


def test_weights_that_the_program_changes_within_a_window_are_left_to_it(patches: Patches) -> None:
    held = parameter()
    still, found = held_with(held, patches)
    decay(held)
    still.settle(over=False)  # another micro-batch follows
    torch.optim.SGD([held], lr=0.25).step()
    still.settle(over=True)
    assert held.tolist() == [0.5, -1.0]
    assert found == [[-1.0, -2.0]]
    with pytest.raises(RefusedError, match="changes its weights between the micro-batches of one optimizer step"):
        check_one_set_of_weights(still)


def test_weights_that_the_program_changes_between_windows_are_no_reason_to_refuse_it(patches: Patches) -> None:
    held = parameter()
    still, _ = held_with(held, patches)
    decay(held)
    still.settle(over=True)
    still.settle(over=False)
    check_one_set_of_weights(still)
    check_one_set_of_weights(None)
