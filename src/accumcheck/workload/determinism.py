"""Turn off everything random in a model: dropout and noise, in the config and in the modules."""

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
    """The config and every nested config, each once."""
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
    """Set every number with a dropout name to 0, in the config and in all its sub-configs.

    The router noise of mixtures of experts, the random input masks of speech models and the noisy queries of detectors
    (``num_denoising`` of RT-DETR) are turned off too.
    """
    for part in sub_configs(config):
        if isinstance(vars(part).get("num_denoising"), int):
            part.num_denoising = 0
        if hasattr(part, "mask_time_prob"):
            part.apply_spec_augment = False
        for name, value in list(vars(part).items()):
            if _DROPOUT.search(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
                setattr(part, name, type(value)(0))


def turn_off_dropout(model: nn.Module) -> None:
    """Turn off dropout in an existing model: in its modules, their attributes, and its config."""
    for module in model.modules():  # a wrapper, such as that of sentence-transformers, may have no config of its own
        if isinstance(config := getattr(module, "config", None), PretrainedConfig):
            turn_off_config_dropout(config)
    turn_off_module_dropout(model)
    hold_spectral_norms(model)
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if _DROPOUT.search(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
                setattr(module, name, type(value)(0))


def turn_off_module_dropout(model: nn.Module) -> None:
    """Set the probability of every dropout module to 0, because some do not read the config."""
    for module in model.modules():
        if "drop" not in type(module).__name__.lower():
            continue
        for name in ("p", "drop_prob", "drop_rate"):
            if isinstance(getattr(module, name, None), (int, float)):
                setattr(module, name, 0.0)


def hold_spectral_norms(model: nn.Module) -> None:
    """Keep spectral norms at their present estimate, which otherwise changes with every forward in training mode.

    Otherwise a result would depend on how many forwards came before it, and so on the number of micro-batches. See
    ``torch.nn.utils.parametrizations.spectral_norm`` and, for the older hook, ``torch.nn.utils.spectral_norm``.
    """
    for module in model.modules():
        for one in (module, *module._forward_pre_hooks.values()):
            if type(one).__name__ in ("_SpectralNorm", "SpectralNorm") and hasattr(one, "n_power_iterations"):
                one.n_power_iterations = 0
