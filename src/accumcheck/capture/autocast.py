"""In what precision a program's forward passes compute, where that is not the parameters' own: torch's autocast."""

from __future__ import annotations

from typing import Any

import torch


class AutocastWatch:
    """Looks, in the modules that have parameters of their own, whether autocast is on; ``dtype``: None where it is not.

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
        """Take every hook away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _look(self, module: torch.nn.Module, _: Any) -> None:
        if self.dtype is None and torch.is_grad_enabled():
            kind = next(module.parameters(recurse=False)).device.type
            if torch.is_autocast_enabled(kind):
                self.dtype = torch.get_autocast_dtype(kind)
