"""The whole parameters of a model, however they are sharded, each under its name in the model."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from accumcheck.capture.shards.fsdp1 import has_flat_parameters, is_managed, parameters_of_units
from accumcheck.capture.shards.fsdp2 import Distributed, check_data_parallel_alone, class_of, is_fully_sharded, reshard
from accumcheck.capture.shards.whole import Plain, Whole, canonical
from accumcheck.capture.shards.zero import Partitioned, engine_of, is_partitioned

__all__ = ["Whole", "canonical", "class_of", "is_sharded", "parameters_of"]


def parameters_of(model: torch.nn.Module) -> Iterator[Whole]:
    """Every parameter once, in the order of ``named_parameters()`` of the model before it was sharded.

    Under torch's FSDP (``FullyShardedDataParallel`` or ``fully_shard``), a parameter is gathered when it is requested,
    one at a time: every process must request the same ones in the same order. Parameters that DeepSpeed's engine trains
    are gathered as well. For a model that is not sharded, processes do not communicate.

    Raises:
        WorkloadError: the parameters are distributed in an unsupported way (tensor parallel).
    """
    check_data_parallel_alone(model)
    engine = engine_of(model)
    if engine is not None or is_partitioned(model):
        for name, parameter in model.named_parameters():
            yield Partitioned(canonical(name), parameter, engine)
        return
    if has_flat_parameters(model):
        yield from parameters_of_units(model)
        return
    if is_fully_sharded(model):
        reshard(model)
    for name, parameter in model.named_parameters():
        if type(parameter).__name__ == "DTensor":
            yield Distributed(canonical(name), parameter)
        else:
            yield Plain(canonical(name), parameter)


def is_sharded(model: torch.nn.Module) -> bool:
    """Whether FSDP or DeepSpeed holds this model's parameters, even if there is only one process."""
    return has_flat_parameters(model) or is_managed(model) or is_fully_sharded(model) or is_partitioned(model)
