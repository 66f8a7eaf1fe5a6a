"""What would make two runs of one model differ, turned off: dropout and noise of every name, in config and modules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from transformers import PretrainedConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn

_DROPOUT = re.compile(
    r"(dropout|dropout_prob|dropout_p|dropout_rate|pdrop|drop_rate|layerdrop|drop_path|drop_path_rate|drop_prob"
    r"|drop_connect_rate|jitter_noise)$"
)


def sub_configs(config: PretrainedConfig) -> Iterator[PretrainedConfig]:
    """The config itself and every config nested in it, each once."""
    seen: set[int] = set()
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        for value in vars(part).values():
            nested = (
                value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, dict) else [value]
            )
            waiting += [item for item in nested if isinstance(item, PretrainedConfig)]


def turn_off_config_dropout(config: PretrainedConfig) -> None:
    """Set every number whose name ends like a dropout's to 0, in the config and in all its sub-configs.

    So are the noise that routers of experts add, and the masks that speech models draw over their input.
    """
    for part in sub_configs(config):
        if hasattr(part, "mask_time_prob"):
            part.apply_spec_augment = False
        for name, value in list(vars(part).items()):
            if _DROPOUT.search(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
                setattr(part, name, type(value)(0))


def turn_off_dropout(model: nn.Module) -> None:
    """Turn it off in a model that is made already: in its modules, and in the numbers that they and its config hold."""
    for module in model.modules():  # a wrapper, as sentence-transformers makes, may have none of its own
        if isinstance(config := getattr(module, "config", None), PretrainedConfig):
            turn_off_config_dropout(config)
    turn_off_module_dropout(model)
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if _DROPOUT.search(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
                setattr(module, name, type(value)(0))


def turn_off_module_dropout(model: nn.Module) -> None:
    """Set the probability of every dropout-like module to 0, for those that read no config field."""
    for module in model.modules():
        if "drop" not in type(module).__name__.lower():
            continue
        for name in ("p", "drop_prob", "drop_rate"):
            if isinstance(getattr(module, name, None), (int, float)):
                setattr(module, name, 0.0)
