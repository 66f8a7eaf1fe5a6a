"""Hold the weights still while the stack's own optimizers step, with their learning rates, schedules and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from accumcheck.capture.applied import parameters_in
from accumcheck.capture.patches import Patches

Changed = Callable[[Mapping[int, torch.Tensor]], None]

ZEROED = ("lr", "weight_decay")
"""The settings of a parameter group that change weights."""

ON_DEVICE = 2**30
"""The largest size of weights, in bytes, that is copied on the same device. The weights of bigger models are copied to
the host's memory and restored one parameter at a time."""


@dataclass
class _Held:
    """The state before a step and its inner steps: weights by parameter id, and settings by optimizer id."""

    stepping: list[torch.optim.Optimizer] = field(default_factory=list)
    weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    groups: dict[int, tuple[torch.optim.Optimizer, list[dict[str, Any]]]] = field(default_factory=dict)


class HoldStill:
    """Restores the weights after every step of every torch optimizer, so that each step is an independent test.

    The step itself is the stack's: its optimizer, learning rate, decay and state. Memory: one copy of the optimizer's
    parameters during the step, on the host if they are larger than `ON_DEVICE`. If ``changed`` is None, nothing is
    copied. Steps are then made with learning rate 0 and without decay. This has no effect on a step that has already
    begun, and on an optimizer that computes its own step size.

    Args:
        patches: undo this.
        changed: called after each step, before the weights are restored, with the old weights by parameter id.
    """

    def __init__(self, patches: Patches, changed: Changed | None) -> None:
        self._changed = changed
        self._held = _Held()
        patches.at_end(register_optimizer_step_pre_hook(self.begin).remove)
        patches.at_end(register_optimizer_step_post_hook(self._end).remove)

    def begin(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """A step begins, or had begun before the hook was set."""
        held = self._held
        held.stepping.append(optimizer)
        if self._changed is not None:
            held_by = parameters_in(optimizer)
            big = sum(one.numel() * one.element_size() for one in held_by) > ON_DEVICE
            for one in held_by:
                if id(one) not in held.weights:
                    held.weights[id(one)] = one, _copied(one, big=big)
        elif id(optimizer) not in held.groups:
            settings = [{name: group[name] for name in ZEROED if name in group} for group in optimizer.param_groups]
            held.groups[id(optimizer)] = optimizer, settings
            for group in optimizer.param_groups:
                for name in ZEROED:
                    if name in group:
                        group[name] = group[name] * 0

    def _end(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        held = self._held
        if not any(one is optimizer for one in held.stepping):
            return
        while held.stepping.pop() is not optimizer:
            pass  # drop optimizers whose step raised
        if held.stepping:  # an optimizer that calls others, as one that is distributed over processes does
            return
        self._held = _Held()
        if self._changed is not None:
            self._changed({key: before for key, (_, before) in held.weights.items()})
            with torch.no_grad():
                for parameter, before in held.weights.values():
                    parameter.copy_(before)
        for stepped, settings in held.groups.values():
            for group, before_it in zip(stepped.param_groups, settings, strict=False):
                group.update(before_it)


def _copied(one: torch.Tensor, *, big: bool) -> torch.Tensor:
    """A copy, on the host if ``big``. Shards of a distributed tensor stay on their device."""
    whole = type(one) in (torch.Tensor, torch.nn.Parameter)
    return one.detach().to("cpu", copy=True) if big and whole else one.detach().clone()
