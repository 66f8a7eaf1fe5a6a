"""The ways to shrink a config, the smallest result first. Some architectures need sizes that others do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from accumcheck.workload.shrink import shrink
from accumcheck.workload.shrink_evenly import shrink_depth, shrink_evenly

if TYPE_CHECKING:
    from transformers import PretrainedConfig


@dataclass(frozen=True, slots=True)
class Way:
    """One way to shrink. ``largest``: the largest allowed number of parameters; None: it always gives small models."""

    shrink: Callable[[PretrainedConfig], PretrainedConfig]
    largest: int | None = None


WAYS = (
    Way(shrink),
    Way(partial(shrink, layers=4, ranked=True)),  # heads that take the features of several layers
    Way(partial(shrink, fill=True)),
    Way(shrink_evenly, largest=40_000_000),  # towers whose widths depend on each other
    Way(partial(shrink, layers=8)),  # Zamba shares weights between layers and needs a minimum depth
    Way(shrink_depth, largest=120_000_000),
)
