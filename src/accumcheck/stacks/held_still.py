"""The training arguments under which every step starts from the same weights, so that each is a test of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEVER_CLIPS = 1e30
"""A ``max_grad_norm`` under which Trainer still logs the gradient's norm but scales nothing."""

NOISE = ("neftune_noise_alpha",)
"""Training arguments that add random numbers to a forward pass, which no two splits would draw alike."""

HELD_STILL: Mapping[str, Any] = {
    **dict.fromkeys(NOISE),
    "learning_rate": 0.0,
    "lr_scheduler_type": "constant",
    "optim": "sgd",  # at learning rate 0 no optimizer state matters, and none is allocated
    "weight_decay": 0.0,
    "max_grad_norm": NEVER_CLIPS,
}
"""Fields of ``TrainingArguments``."""
