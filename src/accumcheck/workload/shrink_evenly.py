"""Shrink a config by one factor: equal widths stay equal, and a width that is twice another one stays so."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.shrink import is_width, shrink_experts, shrink_vocabulary
from accumcheck.workload.shrink_layers import shrink_layer_choices, shrink_layers

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FACTOR = 8
_LAYERS = 4
_STAGES = re.compile(r"^(depths?|num_blocks|layer_depths|num_block_repeats|stage_num_blocks)$")
"""The names of lists with the number of layers of each stage."""


def shrink_evenly(config: PretrainedConfig) -> PretrainedConfig:
    """A copy with few layers and few token ids, and an eighth of every width. Numbers of heads and images stay."""
    small = shrink_depth(config, layers=_LAYERS, ranked=True)
    for part in sub_configs(small):
        for name, value in list(vars(part).items()):
            if is_width(name):
                setattr(part, name, _divided(value))
    return small


def shrink_depth(config: PretrainedConfig, *, layers: int = 2, ranked: bool = False) -> PretrainedConfig:
    """A copy with few layers and few token ids, but with the original widths, images and positions."""
    small = copy.deepcopy(config)
    vocabularies = [part.vocab_size for part in sub_configs(small) if isinstance(vars(part).get("vocab_size"), int)]
    for part in sub_configs(small):
        stages = {name: value for name, value in vars(part).items() if _STAGES.search(name) and _counts(value)}
        if not stages:
            shrink_layers(part, layers, ranked=ranked)
        shrink_layer_choices(part)
        shrink_experts(part)
        for name, value in stages.items():
            setattr(part, name, type(value)([1] * len(value)))
    shrink_vocabulary(small, vocabularies)
    return small


def _divided(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_divided(one) for one in value)
    whole = isinstance(value, int) and not isinstance(value, bool) and value > FACTOR and value % FACTOR == 0
    return value // FACTOR if whole else value


def _counts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(one, int) for one in value)
