"""Weights held still in a program's own optimizers, whose learning rates and schedules go on as if they were not."""

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


@dataclass
class _Held:
    """An optimizer within its step: how many steps are nested, and what was there before the outermost of them."""

    depth: int = 0
    weights: list[tuple[torch.Tensor, torch.Tensor]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)


class HoldStill:
    """Puts weights back after every step of every torch optimizer, so that each step is a test of its own.

    The step itself is the program's: its optimizer, learning rate, decay and state. Memory: one copy of what the
    optimizer holds, while it steps. With ``changed`` None nothing is copied: steps are then made with learning rate 0
    and without decay, which a step that has begun already, or an optimizer with a step size of its own, may not obey.

    Args:
        patches: end it.
        changed: told after each step, before the weights are put back, with what they were, by the parameters' ids.
    """

    def __init__(self, patches: Patches, changed: Changed | None) -> None:
        self._changed = changed
        self._held: dict[int, _Held] = {}
        patches.at_end(register_optimizer_step_pre_hook(self.begin).remove)
        patches.at_end(register_optimizer_step_post_hook(self._end).remove)

    def begin(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """A step begins, or has begun before this was there."""
        held = self._held.setdefault(id(optimizer), _Held())
        held.depth += 1
        if held.depth > 1:
            return
        if self._changed is not None:
            held.weights = [(one, one.detach().clone()) for one in parameters_in(optimizer)]
            return
        for group in optimizer.param_groups:
            held.groups.append({name: group[name] for name in ZEROED if name in group})
            for name in held.groups[-1]:
                group[name] = group[name] * 0

    def _end(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        held = self._held.get(id(optimizer))
        if held is None:
            return
        held.depth -= 1
        if held.depth > 0:
            return
        del self._held[id(optimizer)]
        if self._changed is not None:
            self._changed({id(parameter): before for parameter, before in held.weights})
            with torch.no_grad():
                for parameter, before in held.weights:
                    parameter.copy_(before)
        for group, settings in zip(optimizer.param_groups, held.groups, strict=False):
            group.update(settings)
