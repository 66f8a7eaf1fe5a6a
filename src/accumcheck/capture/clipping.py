"""Where a program clips its gradient, and by how much: seen at torch's own functions, which all stacks call."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import torch
from torch.nn.utils import clip_grad

from accumcheck.capture.patches import Patches, Seam
from accumcheck.capture.places import place

CLIPPING = (Seam.CLIPPING, Seam.CLIPPING_VALUES, Seam.CLIPPING_TO_A_NORM)
_LIBRARIES = ("torch", "accelerate", "accumcheck", "lightning", "pytorch_lightning", "lightning_fabric")


@dataclass(frozen=True, slots=True)
class Clip:
    """One call: the kind of clipping, its limit, the factor on the gradient, and the line of the call.

    ``coefficient``: the factor of a clip by norm; 1 if it changed nothing. For a clip by value, 1, or a number below 1
    that only says that some entry was cut.
    """

    by: Literal["norm", "value"]
    limit: float
    coefficient: float
    place: str


def watch_clipping(
    patches: Patches, before: Callable[[list[torch.Tensor]], None], clipped: Callable[[Clip], None]
) -> None:
    """Watch every call of torch's clipping functions until the patches are undone.

    Args:
        patches: undoes it.
        before: called with the parameters that are about to be clipped.
        clipped: called with what was done.
    """
    watched = _Watch(before, clipped)
    by_norm, by_value = clip_grad.clip_grad_norm_, clip_grad.clip_grad_value_
    replaced = {
        Seam.CLIPPING: (by_norm, watched.around(by_norm, "norm")),
        Seam.CLIPPING_VALUES: (by_value, watched.around(by_value, "value")),
    }
    if (to_norm := getattr(torch.nn.utils, Seam.CLIPPING_TO_A_NORM.attribute, None)) is not None:  # since torch 2.6
        replaced[Seam.CLIPPING_TO_A_NORM] = to_norm, watched.around(to_norm, "norm")
    patches.substitute(replaced)


class _Watch:
    def __init__(self, before: Callable[[list[torch.Tensor]], None], clipped: Callable[[Clip], None]) -> None:
        self._before = before
        self._clipped = clipped
        self._inside = False

    def around(self, original: Any, by: Literal["norm", "value"]) -> Any:
        """The function with its calls watched; its first two parameters may also be given by name."""
        limit_name = "clip_value" if by == "value" else "max_norm"

        @functools.wraps(original)
        def clip(*args: Any, **kwargs: Any) -> Any:
            given = list(args)
            parameters = given.pop(0) if given else kwargs.pop("parameters")
            limit = given.pop(0) if given else kwargs.pop(limit_name)
            tensors = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
            if self._inside:  # one of them calls another
                return original(tensors, limit, *given, **kwargs)
            at = _caller()
            self._before(tensors)
            self._inside = True
            try:
                largest = _largest(tensors) if by == "value" else 0.0
                result = original(tensors, limit, *given, **kwargs)
            finally:
                self._inside = False
            norm: Any = next(iter(given), kwargs.get("total_norm")) if result is None and by == "norm" else result
            size = float(norm) + _TORCHS_EPSILON if by == "norm" else largest
            self._clipped(Clip(by, float(limit), min(1.0, float(limit) / size) if size > 0 else 1.0, at))
            return result

        return clip


_TORCHS_EPSILON = 1e-6
"""What ``clip_grad_norm_`` adds to the norm that it divides by."""


def _largest(tensors: Iterable[torch.Tensor]) -> float:
    sizes = [float(one.grad.abs().max()) for one in tensors if one.grad is not None and one.grad.numel()]
    return max(sizes, default=0.0)


def _caller() -> str:
    """The innermost line outside the libraries that pass a clipping call on."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module not in _LIBRARIES and not frame.f_code.co_filename.startswith("<"):
            return place(str(Path(frame.f_code.co_filename)), frame.f_lineno)
        frame = frame.f_back
    return ""
