"""Parameters under ``torch.distributed.fsdp.FullyShardedDataParallel`` (FSDP1): flattened into sharded units.

A unit's ``FlatParameter`` says which entries of each of its parameters this process has. These entries are put in
place in a tensor of zeros and summed over processes: one parameter at a time, so memory is needed for one only.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from accumcheck.capture.shards.whole import Plain, Whole, canonical
from accumcheck.errors import UnsupportedError


@dataclass(frozen=True)
class Flattened:
    """The parameter with number ``index`` of a unit; ``handle`` is torch's ``FlatParamHandle`` of the unit."""

    name: str
    handle: Any
    index: int

    @property
    def numel(self) -> int:
        """See `Whole.numel`."""
        return int(self._flat._numels[self.index])

    @property
    def requires_grad(self) -> bool:
        """See `Whole.requires_grad`."""
        own = self._flat._params[self.index] if self.handle._use_orig_params else self._flat
        return bool(own.requires_grad)

    @property
    def dtype(self) -> torch.dtype:
        """See `Whole.dtype`."""
        found: torch.dtype = self._flat.dtype
        return found

    @property
    def _flat(self) -> Any:
        return self.handle.flat_param

    def value(self) -> torch.Tensor:
        """See `Whole.value`."""
        held = self._flat.detach()
        if self.handle.uses_sharded_strategy and held.numel() != self._flat._sharded_size.numel():
            held = self._flat._local_shard.detach()  # a forward may gather in another precision
        return self._gathered(held)

    def gradient(self) -> torch.Tensor:
        """See `Whole.gradient`."""
        if not self.handle._use_orig_params:
            grad = self._flat.grad
            if grad is not None and grad.numel() != self._flat.numel():
                raise self._misfit(grad.numel(), self._flat.numel())
            return self._gathered(torch.zeros_like(self._flat) if grad is None else grad.detach().reshape(-1))
        here = self._flat._shard_param_infos[self.index]
        grad = self._flat._params[self.index].grad if here.in_shard else None
        if grad is not None and grad.numel() != here.numel_in_shard:
            raise self._misfit(grad.numel(), here.numel_in_shard)
        return self._placed(None if grad is None else grad.detach().reshape(-1))

    def _gathered(self, shard: torch.Tensor) -> torch.Tensor:
        """``shard``: this process's part of the unit, flat."""
        here = self._flat._shard_param_infos[self.index]
        start = here.offset_in_shard
        return self._placed(shard[start : start + here.numel_in_shard] if here.in_shard else None)

    def _placed(self, piece: torch.Tensor | None) -> torch.Tensor:
        """The whole from every process's piece; None for a process without one."""
        whole = torch.zeros(self.numel, dtype=self._flat.dtype, device=self.handle.device)
        here = self._flat._shard_param_infos[self.index]
        if piece is not None:
            whole[here.intra_param_start_idx : here.intra_param_end_idx + 1] = piece.to(whole)
        if self.handle.uses_sharded_strategy and self.handle.world_size > 1:
            dist.all_reduce(whole, group=self.handle.process_group)
        return whole

    def _misfit(self, found: int, due: int) -> UnsupportedError:
        return UnsupportedError(
            f"the gradient of {self.name} has {found} entries in this process, but its shard has {due}: it was not "
            "reduced over processes before the optimizer's step (the last micro-batch under no_sync?)"
        )


def has_flat_parameters(model: torch.nn.Module) -> bool:
    """Whether a parameter of the model was flattened into a unit, or is a unit."""
    return any(
        getattr(parameter, "_fsdp_flattened", False) or getattr(parameter, "_is_flat_param", False)
        for parameter in model.parameters()
    )


def is_managed(model: torch.nn.Module) -> bool:
    """Whether torch's FSDP manages a module of the model.

    While a forward runs under FSDP1, parameters look like those of a model that is not sharded; this mark stays.
    """
    return any(getattr(module, "_is_fsdp_managed_module", False) for module in model.modules())


def parameters_of_units(model: torch.nn.Module) -> Iterator[Whole]:
    """The parameters of all units, and those outside units, in the order of the model's modules.

    Raises:
        UnsupportedError: a parameter's unit is not found, or the pieces of a unit are not complete.
    """
    of_module: dict[int, list[tuple[str, Any, int]]] = {}
    taken: set[tuple[int, str]] = set()
    for handle in _handles(model):
        _require_all_pieces(handle)
        for index, info in enumerate(handle.flat_param._param_infos):
            of_module.setdefault(id(info.module), []).append((info.param_name, handle, index))
            taken.add((id(info.module), info.param_name))
        taken.update((id(info.module), info.param_name) for info in handle.flat_param._shared_param_infos)
    seen: set[int] = set()
    for place, module in model.named_modules():
        prefix = f"{place}." if place else ""
        for name, handle, index in of_module.get(id(module), ()):
            yield Flattened(canonical(prefix + name), handle, index)
        for name, parameter in module.named_parameters(recurse=False):
            if (id(module), name) in taken or id(parameter) in seen or getattr(parameter, "_is_flat_param", False):
                continue
            seen.add(id(parameter))
            if getattr(parameter, "_fsdp_flattened", False):
                where = "is in an FSDP unit that was not found in this process"
                raise UnsupportedError(f"{canonical(prefix + name)} {where}")
            yield Plain(canonical(prefix + name), parameter)


def _handles(model: torch.nn.Module) -> list[Any]:
    """The units of the model and of its wrapper."""
    from torch.distributed.fsdp import FullyShardedDataParallel

    wrappers = [module for module in model.modules() if isinstance(module, FullyShardedDataParallel)]
    if not isinstance(model, FullyShardedDataParallel):
        # the model does not know its wrapper, whose unit holds everything that is in no other unit
        wrappers += [
            found
            for found in gc.get_objects()
            if issubclass(type(found), FullyShardedDataParallel)  # isinstance would ask objects that warn
            and found not in wrappers
            and any(module is model for module in found.modules())
        ]
    handles = [wrapper._handle for wrapper in wrappers if wrapper._handle is not None]
    return list({id(handle): handle for handle in handles}.values())


def _require_all_pieces(handle: Any) -> None:
    """Require that the processes' pieces of each parameter are complete.

    Raises:
        UnsupportedError: they do not.
    """
    if not handle.uses_sharded_strategy or handle.world_size == 1:
        return
    flat = handle.flat_param
    pieces = [info.numel_in_shard if info.in_shard else 0 for info in flat._shard_param_infos]
    held = torch.tensor(pieces, dtype=torch.int64, device=handle.device)
    dist.all_reduce(held, group=handle.process_group)
    for name, found, due in zip(flat._fqns, held.tolist(), flat._numels, strict=True):
        if found != due:
            have = f"the processes have {found} entries of {canonical(name)} in total"
            raise UnsupportedError(f"{have}; it has {due}")
