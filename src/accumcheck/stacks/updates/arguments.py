"""The training arguments that determine the update: the user's own, or those under which the weights do not change.

A Trainer makes its own steps, with its own optimizer, learning rate, schedule, decay and clipping. The weights are
restored after each step (`accumcheck.stacks.updates.hold_still`). The arguments are overridden only if the update
cannot be observed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from accumcheck.record.observed import NEVER_CLIPS

NOISE = ("neftune_noise_alpha",)
"""Training arguments that add random numbers to a forward pass. No two splits would draw the same numbers."""

PLAIN: Mapping[str, Any] = {
    "optim": "sgd",  # has no optimizer state, so none is allocated
    "weight_decay": 0.0,
    "max_grad_norm": NEVER_CLIPS,
}
"""Fields of ``TrainingArguments`` under which an update consists of the gradient only."""

STILL: Mapping[str, Any] = {"learning_rate": 0.0, "lr_scheduler_type": "constant"}
"""Fields under which there is no update: the weights stay as they are."""

_AS_GRADIENTS_COME = ("lomo", "layerwise")
"""Part of the names of optimizers that step during the backward pass, so that no gradient is accumulated."""

_BY_A_METRIC = ("reduce_lr_on_plateau", "greedy")
"""Schedules that depend on an evaluation. A check does not evaluate."""


def overridden(asked: Mapping[str, Any], *, real: bool) -> dict[str, Any]:
    """The arguments that are set whatever the user asked for.

    Args:
        asked: the user's arguments by name, as far as they are known.
        real: whether the user's own update is requested. It is not run if the model is sharded.
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
    """Whether these arguments, or the environment, shard the model. Clipping and steps are then not fully seen."""
    flags = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return any(bool(asked.get(name)) for name in ("fsdp", "deepspeed", "parallelism_config")) or any(
        os.environ.get(flag, "false").lower() in ("true", "1", "yes", "on", "y", "t") for flag in flags
    )


def _plain(value: Any) -> str:
    """The text of an argument that is a text or an enumeration member."""
    return str(getattr(value, "value", value)).lower()
