"""The same architecture at a tiny size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError

if TYPE_CHECKING:
    from transformers import PretrainedConfig


def shrink(config: PretrainedConfig) -> PretrainedConfig:
    """A tiny copy of ``config``."""
    raise WorkloadError(f"model.shrink: not available yet for {config.model_type}")
