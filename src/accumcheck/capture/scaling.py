"""The factor by which a gradient scaler has multiplied the losses, for float16."""

from __future__ import annotations

import functools
from typing import Any

import torch

from accumcheck.capture.patches import Patches, Seam


class ScaleWatch:
    """Watches ``torch.amp.GradScaler.scale`` until the patches are undone; ``scale``: the factor of its last call."""

    def __init__(self, patches: Patches) -> None:
        self.scale = 1.0
        patches.wrap(Seam.GRAD_SCALER, torch.amp.GradScaler, self._watched)

    def _watched(self, original: Any) -> Any:
        @functools.wraps(original)
        def scaled(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            self.scale = float(scaler.get_scale())
            return result

        return scaled
