"""Weights held still while the stack's own optimizers step, with their learning rates, schedules, decay and state."""

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
"""What moves weights, of a parameter group."""

ON_DEVICE = 2**30
"""Bytes of weights that are copied on their own device; those of bigger models are copied to the host's memory, and
come back one parameter at a time."""


@dataclass
class _Held:
    """A step and those that it makes inside: what was there before, by the parameters' and the optimizers' ids."""

    stepping: list[torch.optim.Optimizer] = field(default_factory=list)
    weights: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    groups: dict[int, tuple[torch.optim.Optimizer, list[dict[str, Any]]]] = field(default_factory=dict)


class HoldStill:
    """Puts weights back after every step of every torch optimizer, so that each step is a test of its own.

    The step itself is the stack's: its optimizer, learning rate, decay and state. Memory: one copy of what the
    optimizer holds, while it steps; on the host where that is more than `ON_DEVICE`. With ``changed`` None nothing is
    copied: steps are then made with learning rate 0 and without decay, which a step that has begun already, or an
    optimizer with a step size of its own, may not obey.

    Args:
        patches: end it.
        changed: told after each step, before the weights are put back, with what they were, by the parameters' ids.
    """

    def __init__(self, patches: Patches, changed: Changed | None) -> None:
        self._changed = changed
        self._held = _Held()
        patches.at_end(register_optimizer_step_pre_hook(self.begin).remove)
        patches.at_end(register_optimizer_step_post_hook(self._end).remove)

    def begin(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """A step begins, or has begun before this was there."""
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
            pass  # one whose step raised
        if held.stepping:  # an optimizer that hands its work to others, as one that is spread over processes does
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
    """On the host where it is ``big``; parts of a tensor that is spread over processes stay where they are."""
    whole = type(one) in (torch.Tensor, torch.nn.Parameter)
    return one.detach().to("cpu", copy=True) if big and whole else one.detach().clone()
