"""How the stack scaled each loss that the model returned before it was differentiated.

Nothing is replaced: a hook on the returned tensor receives the derivative of what the stack back-propagated with
respect to it, which is exactly the factor that the stack put on it (1/k, the number of processes, 1, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

TOKEN_COUNT = "num_items_in_batch"
"""The name under which stacks pass a model the token count of the global batch."""


def loss_in(output: Any) -> torch.Tensor | None:
    """The loss in a forward's output: its ``loss``, or the first scalar, preferably one with a graph."""
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
    """One forward: the loss that it returned, the factor on that loss, and the token count that was passed to it.

    A loss with a ``factor`` of None: no gradient reached the model's own loss; another one was differentiated.
    """

    loss: float | None = None
    factor: float | None = None
    token_count: float | None = None


@dataclass
class Watched:
    """One forward that has begun: the token count passed to it, the loss it returned, and the gradient that came back.

    ``used``: whether a gradient has come back to anything it returned; None if it has returned nothing that could be
    differentiated, or nothing yet.
    """

    count: Any = None
    loss: torch.Tensor | None = None
    factor: torch.Tensor | None = None
    used: bool | None = None

    def returned(self, output: Any) -> None:
        """The forward has returned this output."""
        for tensor in _differentiable(output):
            self.used = False
            tensor.register_hook(self._came_back)  # type: ignore[no-untyped-call]
        loss = loss_in(output)
        if loss is not None and loss.requires_grad:
            self.loss = loss.detach().clone()  # some releases of Trainer scale the loss in place
            loss.register_hook(self._differentiated)  # type: ignore[no-untyped-call]

    def passage(self, loss_scale: float = 1.0) -> Passage:
        """What is known about it now; ``loss_scale``: the factor on losses that is only there for float16."""
        return Passage(
            loss=_number(self.loss),
            factor=_number(None if self.factor is None else self.factor / loss_scale),
            token_count=_number(self.count),
        )

    # If DDP looks for unused parameters, it passes None to the hooks of tensors that are not differentiated.

    def _came_back(self, gradient: torch.Tensor | None) -> None:
        self.used = self.used or gradient is not None

    def _differentiated(self, gradient: torch.Tensor | None) -> None:
        if gradient is not None:  # has the shape of the loss
            self.factor = gradient.detach().clone()


def _differentiable(output: Any, limit: int = 32) -> list[torch.Tensor]:
    """The tensors with a graph in a forward's output, at most ``limit``."""
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
