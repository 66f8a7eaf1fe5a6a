"""By what a gradient scaler has multiplied the losses, for float16's sake."""

from __future__ import annotations

import functools
from typing import Any

import torch


class ScaleWatch:
    """Watches ``torch.amp.GradScaler.scale`` from now until `stop`; ``scale`` is that of the last call."""

    def __init__(self) -> None:
        self.scale = 1.0
        self._original = original = torch.amp.GradScaler.scale

        @functools.wraps(original)
        def scaled(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            self.scale = float(scaler.get_scale())
            return result

        torch.amp.GradScaler.scale = scaled  # type: ignore[method-assign]

    def stop(self) -> None:
        """Put it back."""
        torch.amp.GradScaler.scale = self._original  # type: ignore[method-assign]
