"""The training arguments that decide what an update is: the user's own, or those under which there is none.

A Trainer makes its own steps, with its own optimizer, learning rate, schedule, decay and clipping; the weights are put
back after each (`accumcheck.stacks.updates.hold_still`). Only where that cannot be seen are the arguments overridden.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from accumcheck.record.observed import NEVER_CLIPS

NOISE = ("neftune_noise_alpha",)
"""Training arguments that add random numbers to a forward pass, which no two splits would draw alike."""

PLAIN: Mapping[str, Any] = {
    "optim": "sgd",  # no optimizer state matters, and none is allocated
    "weight_decay": 0.0,
    "max_grad_norm": NEVER_CLIPS,
}
"""Fields of ``TrainingArguments`` under which an update is nothing but its gradient."""

STILL: Mapping[str, Any] = {"learning_rate": 0.0, "lr_scheduler_type": "constant"}
"""And under which there is none: weights are held still by that alone."""

_AS_GRADIENTS_COME = ("lomo", "layerwise")
"""In the names of optimizers that step during the backward pass, where no gradient is accumulated."""

_BY_A_METRIC = ("reduce_lr_on_plateau", "greedy")
"""Schedules that follow an evaluation, of which there is none in a check."""


def overridden(asked: Mapping[str, Any], *, real: bool) -> dict[str, Any]:
    """What is set whatever the user asked for.

    Args:
        asked: the user's arguments by name, as far as they are known.
        real: whether the user's own update is to run; where the model is sharded it does not.
    """
    noise = dict.fromkeys(NOISE)
    if not real or is_sharding(asked):
        return {**noise, **PLAIN}
    found: dict[str, Any] = {**noise}
    if any(part in _plain(asked.get("optim")) for part in _AS_GRADIENTS_COME):
        found["optim"] = PLAIN["optim"]
    if _plain(asked.get("lr_scheduler_type")) in _BY_A_METRIC:
        found |= {"lr_scheduler_type": STILL["lr_scheduler_type"], "lr_scheduler_kwargs": {}}
    return found


def is_sharding(asked: Mapping[str, Any]) -> bool:
    """Whether these arguments, or the environment, cut the model up: clipping and steps are then not seen whole."""
    flags = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return any(bool(asked.get(name)) for name in ("fsdp", "deepspeed", "parallelism_config")) or any(
        os.environ.get(flag, "false").lower() in ("true", "1", "yes", "on", "y", "t") for flag in flags
    )


def _plain(value: Any) -> str:
    """Of an argument that is text or a member of an enumeration."""
    return str(getattr(value, "value", value)).lower()
