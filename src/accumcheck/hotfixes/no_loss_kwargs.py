"""Tell Trainer that its model takes no token count, so that Trainer divides each loss by the accumulation steps."""

from __future__ import annotations

from typing import Any


def no_loss_kwargs(trainer: Any) -> None:
    """Call this after making the trainer, before ``trainer.train()``."""
    trainer.model_accepts_loss_kwargs = False
