"""Hold the weights still while the stack's own optimizers step, with their learning rates, schedules and state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from accumcheck.capture.applied import parameters_in
from accumcheck.capture.patches import Patches
from accumcheck.stacks.updates.kept import IN_MEMORY, KeptWeights, TemporaryWeights

Changed = Callable[[Mapping[int, torch.Tensor]], None]

ZEROED = ("lr", "weight_decay")
"""The settings of a parameter group that change weights."""


@dataclass
class _Held:
    """The state before a step and its inner steps: weights, and settings by optimizer id."""

    weights: KeptWeights
    stepping: list[torch.optim.Optimizer] = field(default_factory=list)
    groups: dict[int, tuple[torch.optim.Optimizer, list[dict[str, Any]]]] = field(default_factory=dict)


class HoldStill:
    """Restores the weights after every step of every torch optimizer, so that each step is an independent test.

    The step itself is the stack's: its optimizer, learning rate, decay and state. A copy of the optimizer's parameters
    is kept during the step, in memory or in a file (`kept.KeptWeights`). If ``changed`` is None, nothing is copied.
    Steps are then made with learning rate 0 and without decay. This has no effect on a step that has already begun, and
    on an optimizer that computes its own step size.

    Args:
        patches: undo this.
        changed: called after each step, before the weights are restored, with the old weights by parameter id.
        weights: of the model. If they are small, what else changes them is seen and undone, too, see `settle`.
    """

    def __init__(self, patches: Patches, changed: Changed | None, weights: Iterable[torch.Tensor] = ()) -> None:
        self._changed = changed
        weights = list(weights)
        small = changed is not None and sum(one.numel() * one.element_size() for one in weights) <= IN_MEMORY
        self._begun = {id(one): one.detach().clone() for one in weights} if small else {}
        self._weights = weights if small else []
        self.changed_within = False
        """Whether the program has changed weights between two forwards of one window."""
        self._file = TemporaryWeights()
        self._held = _Held(KeptWeights(self._file))
        patches.at_end(self._file.close)
        patches.at_end(register_optimizer_step_pre_hook(self.begin).remove)
        patches.at_end(register_optimizer_step_post_hook(self._end).remove)

    def begin(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        """A step begins, or had begun before the hook was set."""
        held = self._held
        held.stepping.append(optimizer)
        if self._changed is not None:
            held.weights.keep(parameters_in(optimizer), self._begun)
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
        self._held = _Held(KeptWeights(self._file))
        if self._changed is not None:
            self._changed(held.weights)
            held.weights.put_back()
        for stepped, settings in held.groups.values():
            for group, before_it in zip(stepped.param_groups, settings, strict=False):
                group.update(before_it)

    def settle(self, *, over: bool) -> None:
        """Undo what has changed weights without an optimizer's step, and report it like a step.

        A loop may decay its weights, clamp them, or average them with others by itself. What it does between the last
        forward of one window and the first of the next belongs to the update. Weights that it changes within a window
        are left to it from then on, because the micro-batches of one step do not start from the same weights.

        Args:
            over: whether a window is over; otherwise a forward within it is about to begin.
        """
        moved = {id(one): self._begun[id(one)] for one in self._weights if _moved(one, self._begun[id(one)])}
        if not moved or self._changed is None:
            return
        if not over:
            self._begun, self._weights, self.changed_within = {}, [], True
            return
        self._changed(moved)
        with torch.no_grad():
            for one in self._weights:
                if id(one) in moved:
                    one.copy_(moved[id(one)])


def _moved(one: torch.Tensor, begun: torch.Tensor) -> bool:
    """Whether a tensor has other values than before; one that was replaced by another kind is left alone."""
    alike = one.shape == begun.shape and one.dtype == begun.dtype and one.device == begun.device
    return alike and not torch.equal(one, begun)
