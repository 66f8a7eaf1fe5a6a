"""The ways to shrink a config, the smallest result first. Some architectures need sizes that others do not."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.shrink import shrink, shrink_experts, shrink_vocabulary
from accumcheck.workload.shrink_layers import shrink_layer_choices, shrink_layers

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_STAGES = re.compile(r"^(depths?|num_blocks|layer_depths|num_block_repeats|stage_num_blocks)$")
"""The names of lists with the number of layers of each stage."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to shrink. ``largest``: the largest allowed number of parameters; None: it always gives small models."""

    shrink: Callable[[PretrainedConfig], PretrainedConfig]
    largest: int | None = None


def shrink_depth(config: PretrainedConfig) -> PretrainedConfig:
    """A copy with few layers and few token ids, but with the original widths, images and positions."""
    small = copy.deepcopy(config)
    vocabularies = [part.vocab_size for part in sub_configs(small) if isinstance(vars(part).get("vocab_size"), int)]
    for part in sub_configs(small):
        stages = {name: value for name, value in vars(part).items() if _STAGES.search(name) and _counts(value)}
        if not stages:
            shrink_layers(part)
        shrink_layer_choices(part)
        shrink_experts(part)
        for name, value in stages.items():
            setattr(part, name, type(value)([1] * len(value)))
    shrink_vocabulary(small, vocabularies)
    return small


def _counts(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(one, int) for one in value)


WAYS = (
    Way(shrink),
    Way(partial(shrink, layers=8)),  # Zamba shares weights between layers and needs a minimum depth
    Way(partial(shrink, fill=True)),
    Way(shrink_depth, largest=120_000_000),
)
