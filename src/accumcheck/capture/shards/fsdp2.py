"""Parameters under ``torch.distributed.fsdp.fully_shard`` (FSDP2): each is a DTensor, sharded along one dimension.

Types are recognised by name: between torch 2.4 and 2.13 they moved from one module to another.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, cast

import torch

from accumcheck.errors import UnsupportedError


@dataclass(frozen=True)
class Distributed:
    """A parameter that is a DTensor over the processes that share it."""

    name: str
    parameter: Any

    @property
    def numel(self) -> int:
        """See `Whole.numel`; for a DTensor this counts all its entries."""
        return int(self.parameter.numel())

    @property
    def requires_grad(self) -> bool:
        """See `Whole.requires_grad`."""
        return bool(self.parameter.requires_grad)

    @property
    def dtype(self) -> torch.dtype:
        """See `Whole.dtype`."""
        found: torch.dtype = self.parameter.dtype
        return found

    def value(self) -> torch.Tensor:
        """See `Whole.value`."""
        return self._whole(self.parameter.detach())

    def gradient(self) -> torch.Tensor:
        """See `Whole.gradient`. A process without one contributes zeros, since the others wait for it."""
        grad = self.parameter.grad
        if grad is None:
            grad = torch.zeros_like(self.parameter)
        if type(grad).__name__ != "DTensor" or grad.shape != self.parameter.shape:
            raise UnsupportedError(
                f"the gradient of {self.name} is a {type(grad).__name__} of shape {list(grad.shape)}, but its "
                f"parameter is sharded and has shape {list(self.parameter.shape)}: it cannot be gathered whole"
            )
        return self._whole(grad.detach())

    def _whole(self, tensor: Any) -> torch.Tensor:
        mesh = tensor.device_mesh
        local = tensor.to_local()
        if local.device.type != mesh.device_type:  # offloaded to the CPU, where the mesh's backend does not reach
            tensor = type(tensor).from_local(
                local.to(mesh.device_type),
                mesh,
                tensor.placements,
                run_check=False,
                shape=tensor.shape,
                stride=tensor.stride(),
            )
        whole: torch.Tensor = tensor.full_tensor().reshape(-1)
        if whole.numel() != self.numel:
            raise UnsupportedError(f"{self.name} was gathered with {whole.numel()} entries, but it has {self.numel}")
        return whole


def is_fully_sharded(model: torch.nn.Module) -> bool:
    """Whether ``fully_shard`` was called on the model or on a part of it."""
    return any(_is_fsdp_module(module) for module in model.modules())


def class_of(model: torch.nn.Module) -> type:
    """The model's original class: ``fully_shard`` replaces it by a class derived from it."""
    kind = type(model)
    if not _is_fsdp_module(model):
        return kind
    return next(made for made in kind.__mro__ if all(base.__name__ != "FSDPModule" for base in made.__mro__))


def reshard(model: torch.nn.Module) -> None:
    """Free what was gathered for a forward or a backward: the optimizer trains only the shards."""
    for module in model.modules():
        if _is_fsdp_module(module):
            module.reshard()  # type: ignore[operator]


def check_data_parallel_alone(model: torch.nn.Module) -> None:
    """Require that parameters are sharded by data parallelism only.

    Raises:
        UnsupportedError: a parameter is sharded by tensor or expert parallelism.
    """
    by_fsdp = is_fully_sharded(model)
    for name, parameter in model.named_parameters():
        if type(parameter).__name__ != "DTensor":
            continue
        cuts = sum(not placement.is_replicate() for placement in parameter.placements)  # type: ignore[attr-defined]
        if cuts > 1 or not by_fsdp:
            raise UnsupportedError(
                f"{name} is sharded by tensor or expert parallelism, where processes are fed the same rows: this "
                "is not a split of a global batch, and is not checked; run it with data parallelism only (DDP, FSDP)"
            )


def _is_fsdp_module(module: torch.nn.Module) -> bool:
    return "FSDPModule" in _names_of_bases(cast(Hashable, type(module)))


@functools.cache  # asked for every module at every step; ``fully_shard`` gives a module a new class
def _names_of_bases(kind: Hashable) -> tuple[str, ...]:
    return tuple(base.__name__ for base in cast(type, kind).__mro__)
