"""How the stack scaled each loss that the model returned before it was differentiated.

Nothing is replaced: a hook on the returned tensor receives the derivative of what the stack back-propagated with
respect to it, which is exactly the factor that the stack put on it (1/k, the number of processes, 1, ...).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from accumcheck.capture.outputs import Described, described, differentiable

TOKEN_COUNT = "num_items_in_batch"
"""The name under which stacks pass a model the token count of the global batch."""
_BACKWARDS = 4
"""The most backward passes through one output that are described."""


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
    differentiated, or nothing yet; ``rows``: how many it was fed, 0 if its outputs are not to be described;
    ``at_outputs``: what came back to each output, by name and, from the second on, by the number of its backward pass;
    None where that cannot be divided by row.
    """

    count: Any = None
    rows: int = 0
    loss: torch.Tensor | None = None
    factor: torch.Tensor | None = None
    used: bool | None = None
    at_outputs: dict[str, Described | None] = field(default_factory=dict)
    _backwards: dict[str, int] = field(default_factory=dict)

    def returned(self, output: Any) -> None:
        """The forward has returned this output."""
        for name, tensor in differentiable(output):
            self.used = False
            # without its graph, which would hold this hook and so itself
            tensor.register_hook(partial(self._came_back, name, tensor.detach()))  # type: ignore[no-untyped-call]
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

    def _came_back(self, name: str, output: torch.Tensor, gradient: torch.Tensor | None) -> None:
        self.used = self.used or gradient is not None
        if gradient is None or not self.rows:
            return
        times = self._backwards[name] = self._backwards.get(name, 0) + 1
        found = None
        with contextlib.suppress(Exception):  # a program may return anything, and must not fail because of this
            found = described(gradient.detach(), output, self.rows) if times <= _BACKWARDS else None
        # losses that are differentiated one after the other may have different weights
        self.at_outputs[name if times == 1 else f"{name} in backward {times}"] = found

    def _differentiated(self, gradient: torch.Tensor | None) -> None:
        if gradient is not None:  # has the shape of the loss
            self.factor = gradient.detach().clone()


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
