"""Whether a program's forward passes run under torch's autocast, and in which precision."""

from __future__ import annotations

from typing import Any

import torch


class AutocastWatch:
    """Checks in every module with its own parameters whether autocast is on; ``dtype``: None while it is off.

    A program may turn it on around the call of its model, or within its forward.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.dtype: torch.dtype | None = None
        self._handles = [
            module.register_forward_pre_hook(self._look)
            for module in model.modules()
            if next(module.parameters(recurse=False), None) is not None
        ]

    def stop(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _look(self, module: torch.nn.Module, _: Any) -> None:
        if self.dtype is None and torch.is_grad_enabled():
            kind = next(module.parameters(recurse=False)).device.type
            if torch.is_autocast_enabled(kind):
                self.dtype = torch.get_autocast_dtype(kind)
