"""What became of every loss that the model returned: how the stack scaled it before it was differentiated.

Nothing is replaced: a hook on the returned tensor receives the derivative of what the stack back-propagated with
respect to it, which is the very factor that the stack put on it (1/k, the number of processes, 1, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

TOKEN_COUNT = "num_items_in_batch"
"""The name under which stacks pass a model the token count of the global batch."""


def loss_in(output: Any) -> torch.Tensor | None:
    """The loss in what a model's forward returned: its ``loss``, or the first scalar, with a graph if there is one."""
    found = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if found is None and isinstance(output, (tuple, list)):
        numbers = [one for one in output if isinstance(one, torch.Tensor) and one.numel() == 1]
        differentiable = [one for one in numbers if one.requires_grad]
        found = next(iter([*differentiable, *numbers]), None)
    elif found is None:
        found = output
    return found if isinstance(found, torch.Tensor) and found.numel() == 1 else None


@dataclass(frozen=True, slots=True)
class Passage:
    """One forward: the loss that it returned, what that was multiplied by, and the token count that it was passed.

    A ``factor`` of None with a loss: no gradient reached the model's own loss, another one was differentiated.
    """

    loss: float | None = None
    factor: float | None = None
    token_count: float | None = None


@dataclass
class Watched:
    """One forward that has begun: the count it was passed, the loss it returned, and what came back of it.

    ``used``: whether a gradient has come back to anything that it returned; None where it has returned nothing that
    could be differentiated, or nothing yet.
    """

    count: Any = None
    loss: torch.Tensor | None = None
    factor: torch.Tensor | None = None
    used: bool | None = None

    def returned(self, output: Any) -> None:
        """The forward has returned this."""
        for tensor in _differentiable(output):
            self.used = False
            tensor.register_hook(self._came_back)  # type: ignore[no-untyped-call]
        loss = loss_in(output)
        if loss is not None and loss.requires_grad:
            self.loss = loss.detach().clone()  # some releases of Trainer scale the loss in place
            loss.register_hook(self._differentiated)  # type: ignore[no-untyped-call]

    def passage(self, loss_scale: float = 1.0) -> Passage:
        """What is known of it now; ``loss_scale``: what losses were multiplied by for float16's sake only."""
        return Passage(
            loss=_number(self.loss),
            factor=_number(None if self.factor is None else self.factor / loss_scale),
            token_count=_number(self.count),
        )

    # Where DDP looks for unused parameters, it hands the hooks of what is not differentiated None.

    def _came_back(self, gradient: torch.Tensor | None) -> None:
        self.used = self.used or gradient is not None

    def _differentiated(self, gradient: torch.Tensor | None) -> None:
        if gradient is not None:  # of the shape of the loss
            self.factor = gradient.detach().clone()


def _differentiable(output: Any, limit: int = 32) -> list[torch.Tensor]:
    """The tensors with a graph in what a forward returned, at most so many."""
    found: list[torch.Tensor] = []
    waiting = [output]
    while waiting and len(found) < limit:
        value = waiting.pop(0)
        if isinstance(value, torch.Tensor):
            found += [value] if value.requires_grad else []
        elif isinstance(value, Mapping):
            waiting += list(value.values())
        elif isinstance(value, (tuple, list)):
            waiting += list(value)
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
