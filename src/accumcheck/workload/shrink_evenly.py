"""Shrink a config by one factor: equal widths stay equal, and a width that is twice another one stays so."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.shrink import is_width, shrink_experts, shrink_stages, shrink_vocabulary
from accumcheck.workload.shrink_fill import fill_fields
from accumcheck.workload.shrink_layers import LAYERS, shrink_layer_choices, shrink_layers
from accumcheck.workload.shrink_vision import shrink_image

if TYPE_CHECKING:
    from transformers import PretrainedConfig

FACTOR = 8
_LAYERS = 4


def shrink_evenly(config: PretrainedConfig) -> PretrainedConfig:
    """A copy with few layers and few token ids, and an eighth of every width. Numbers of heads and patches stay."""
    small = _few_layers(config, _LAYERS, ranked=True, per_stage=_LAYERS - 1)
    for part in sub_configs(small):
        for name, value in list(vars(part).items()):
            if is_width(name):
                setattr(part, name, _divided(value))
        fill_fields(part)
    return small


def shrink_depth(config: PretrainedConfig) -> PretrainedConfig:
    """A copy with few layers and few token ids, but with the original widths, patches and positions."""
    return _few_layers(config, LAYERS, ranked=False, per_stage=1)


def _few_layers(config: PretrainedConfig, layers: int, *, ranked: bool, per_stage: int) -> PretrainedConfig:
    small = copy.deepcopy(config)
    vocabularies = [part.vocab_size for part in sub_configs(small) if isinstance(vars(part).get("vocab_size"), int)]
    for part in sub_configs(small):
        if not shrink_stages(part, per_stage):
            shrink_layers(part, layers, ranked=ranked)
        shrink_layer_choices(part)
        shrink_experts(part)
        shrink_image(part)
    shrink_vocabulary(small, vocabularies)
    return small


def _divided(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_divided(one) for one in value)
    whole = isinstance(value, int) and not isinstance(value, bool) and value > FACTOR and value % FACTOR == 0
    return value // FACTOR if whole else value
