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
    """The loss in what a model's forward returned: its ``loss``, or the scalar that stands first or alone."""
    found = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
    if found is None:
        found = output[0] if isinstance(output, tuple) and output else output
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
class _Watched:
    """One forward: the count it was passed, the loss it returned, and the gradient that came back."""

    count: Any = None
    loss: torch.Tensor | None = None
    factor: torch.Tensor | None = None

    def differentiated(self, gradient: torch.Tensor) -> None:
        """The tensor hook; ``gradient`` has the shape of the loss."""
        self.factor = gradient.detach().clone()


class LossWatch:
    """Collects the passages of one optimizer step."""

    def __init__(self) -> None:
        self._passages: list[_Watched] = []

    def fed(self, arguments: Mapping[str, Any]) -> None:
        """A forward begins with these keyword arguments."""
        self._passages.append(_Watched(arguments.get(TOKEN_COUNT)))

    def returned(self, output: Any) -> None:
        """The forward that began last has returned this."""
        loss = loss_in(output)
        if loss is None or not loss.requires_grad or not self._passages:
            return
        passage = self._passages[-1]
        passage.loss = loss.detach().clone()  # some releases of Trainer scale the loss in place
        loss.register_hook(passage.differentiated)  # type: ignore[no-untyped-call]

    def take(self, loss_scale: float = 1.0) -> list[Passage]:
        """The passages since the last call, in order.

        ``loss_scale``: what losses were multiplied by for float16's sake, which is no part of ``factor``.
        """
        taken, self._passages = self._passages, []
        return [
            Passage(
                loss=_number(passage.loss),
                factor=_number(None if passage.factor is None else passage.factor / loss_scale),
                token_count=_number(passage.count),
            )
            for passage in taken
        ]


def _number(value: Any) -> float | None:
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        return float(value)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
