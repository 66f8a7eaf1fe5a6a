"""Weights held still in a program's own optimizers, whose learning rates and schedules go on as if they were not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from accumcheck.capture.patches import Patches

ZEROED = ("lr", "weight_decay")
"""What moves weights, of a parameter group."""


@dataclass
class _Held:
    """An optimizer within its step: how many steps are nested, and what its groups had before the outermost."""

    depth: int
    groups: list[dict[str, Any]]


class HoldStill:
    """Every step of every torch optimizer is made with learning rate 0 and no decay; both are put back after it.

    Schedules that compute a learning rate from the last one go on as they would.

    Args:
        patches: end it.
    """

    def __init__(self, patches: Patches) -> None:
        self._held: dict[int, _Held] = {}
        patches.at_end(register_optimizer_step_pre_hook(self.begin).remove)
        patches.at_end(register_optimizer_step_post_hook(self._end).remove)

    def begin(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """A step begins, or has begun before this was there."""
        held = self._held.setdefault(id(optimizer), _Held(0, []))
        held.depth += 1
        if held.depth > 1:
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
        if held.depth == 0:
            for group, before in zip(optimizer.param_groups, held.groups, strict=False):
                group.update(before)
            del self._held[id(optimizer)]
