"""Where a program clips its gradient, and by how much: watched at torch's own functions, which all stacks call."""

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

from accumcheck.capture.places import place

BY_NORM = ("clip_grad_norm_", "clip_grad_norm")
BY_VALUE = ("clip_grad_value_",)
_LIBRARIES = ("torch", "accelerate", "accumcheck", "lightning", "pytorch_lightning", "lightning_fabric")


@dataclass(frozen=True, slots=True)
class Clip:
    """One call: by what, the number that it allows, by what the gradient was multiplied, and the line that called.

    ``coefficient``: of a clip by norm; 1 where it changed nothing. Of a clip by value, 1 or, where any entry was cut,
    a number below 1 that says no more than that.
    """

    by: Literal["norm", "value"]
    limit: float
    coefficient: float
    place: str


class ClipWatch:
    """Watches every call of torch's clipping functions from now until `stop`.

    Args:
        before: called with the parameters that are about to be clipped.
        clipped: called with what was done.
    """

    def __init__(self, before: Callable[[list[torch.Tensor]], None], clipped: Callable[[Clip], None]) -> None:
        self._before = before
        self._clipped = clipped
        self._replaced: list[tuple[dict[str, Any], str, Any]] = []
        for name in (*BY_NORM, *BY_VALUE):
            if (original := getattr(clip_grad, name, None)) is not None:
                self._replace(original, self._watched(original, "value" if name in BY_VALUE else "norm"))

    def stop(self) -> None:
        """Put everything back."""
        for namespace, name, original in self._replaced:
            namespace[name] = original
        self._replaced = []

    def _replace(self, original: Any, watched: Any) -> None:
        """Wherever a module that is imported by now has it under some name: ``from ... import`` copies names."""
        for module in list(sys.modules.values()):
            namespace = getattr(module, "__dict__", None)
            if not isinstance(namespace, dict):
                continue
            for name in (original.__name__,):
                if namespace.get(name) is original:
                    self._replaced.append((namespace, name, original))
                    namespace[name] = watched

    def _watched(self, original: Any, by: Literal["norm", "value"]) -> Any:
        depth = 0

        @functools.wraps(original)
        def clip(parameters: Any, limit: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            if depth:
                return original(parameters, limit, *args, **kwargs)
            tensors = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
            self._before(tensors)
            at = _caller()
            depth += 1
            try:
                largest = _largest(tensors) if by == "value" else 0.0
                result = original(tensors, limit, *args, **kwargs)
            finally:
                depth -= 1
            size = float(result) if by == "norm" else largest
            coefficient = min(1.0, float(limit) / (size + 1e-6)) if by == "norm" else min(1.0, float(limit) / size) if size else 1.0
            self._clipped(Clip(by, float(limit), coefficient, at))
            return result

        @functools.wraps(original)
        def by_name(*args: Any, **kwargs: Any) -> Any:
            """The second parameter is ``max_norm`` or ``clip_value``; both may be given by name."""
            positional = list(args)
            parameters = positional.pop(0) if positional else kwargs.pop("parameters")
            name = "clip_value" if by == "value" else "max_norm"
            limit = positional.pop(0) if positional else kwargs.pop(name)
            return clip(parameters, limit, *positional, **kwargs)

        return by_name


def _largest(tensors: Iterable[torch.Tensor]) -> float:
    sizes = [float(one.grad.abs().max()) for one in tensors if one.grad is not None and one.grad.numel()]
    return max(sizes, default=0.0)


def _caller() -> str:
    """The innermost line outside of the libraries that pass a call of clipping on."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module not in _LIBRARIES and not frame.f_code.co_filename.startswith("<"):
            return place(str(Path(frame.f_code.co_filename)), frame.f_lineno)
        frame = frame.f_back
    return ""
