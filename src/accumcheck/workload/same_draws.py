"""Fixed random numbers for a forward pass that draws some, for example the points at which it compares two masks.

Each draw is replaced by numbers that depend only on the shape of one row. So every row has the same numbers in any
batch, and the result neither changes from call to call nor with the number of rows that are drawn for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Fill = Callable[..., Any]

_NEW: dict[str, Fill] = {
    "rand": torch.Tensor.uniform_,
    "rand_like": torch.Tensor.uniform_,
    "randn": torch.Tensor.normal_,
    "randn_like": torch.Tensor.normal_,
}
"""Functions that return new random numbers, and the method that draws from the same distribution."""
_IN_PLACE = ("uniform_", "normal_")
"""Methods that fill a tensor with random numbers."""
_SAME = 1e-6
"""Two losses of the same batch are equal if they differ by at most this, relative to the loss."""


class SameDraws(TorchFunctionMode):
    """While active, a random draw gives the same numbers for every entry of its first dimension, and in every call."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Called by torch in place of ``func``."""
        name, named = getattr(func, "__name__", ""), kwargs or {}
        drawn = func(*args, **named)
        if not isinstance(drawn, torch.Tensor) or not drawn.is_floating_point() or drawn.ndim == 0:
            return drawn
        with torch.no_grad():
            if name in _NEW:
                drawn.copy_(_row(drawn, _NEW[name]))
            elif name in _IN_PLACE:
                drawn.copy_(_row(drawn, getattr(torch.Tensor, name), *args[1:], **named))
        return drawn


def _row(drawn: torch.Tensor, fill: Fill, *args: Any, **kwargs: Any) -> torch.Tensor:
    """The numbers of one row, ``[1, ...]``. They are drawn on the CPU, so that every device has the same."""
    kwargs.pop("generator", None)
    shape = drawn.shape[1:]
    generator = torch.Generator().manual_seed(len(shape) + sum(size * 31**place for place, size in enumerate(shape)))
    row = torch.empty((1, *shape), dtype=torch.float32)
    fill(row, *args, **kwargs, generator=generator)
    return row.to(drawn)


def hold_draws(model: PreTrainedModel, loss_of: Callable[[], torch.Tensor]) -> bool:
    """Give a model `SameDraws` in every forward, if its loss is random without and not random with them.

    Args:
        model: the model, changed in place.
        loss_of: computes its loss for the same batch each time.

    Returns:
        Whether the model was changed.
    """
    if _is_repeatable(loss_of):
        return False
    around = _Around()
    handles = [
        model.register_forward_pre_hook(around.enter),
        model.register_forward_hook(around.leave, always_call=True),
    ]
    if _is_repeatable(loss_of):
        return True
    for handle in handles:
        handle.remove()
    return False


@torch.no_grad()
def _is_repeatable(loss_of: Callable[[], torch.Tensor]) -> bool:
    first, second = (loss_of().double().sum() for _ in range(2))
    return bool((first - second).abs() <= _SAME * first.abs())


class _Around:
    """Enters and leaves a mode before and after a forward."""

    def __init__(self) -> None:
        self._active: list[Any] = []  # torch's modes have no types

    def enter(self, *_: Any) -> None:
        """A forward pre-hook."""
        self._active.append(SameDraws())
        self._active[-1].__enter__()

    def leave(self, *_: Any) -> None:
        """A forward hook, which is also called if forward raised."""
        self._active.pop().__exit__(None, None, None)
