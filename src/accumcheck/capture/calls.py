"""The outermost calls of modules that hold trained parameters: their inputs and outputs."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

_WRAPPED = ("module", "_orig_mod", "_fsdp_wrapped_module")
"""The names under which DDP, DeepSpeed, ``torch.compile`` and FSDP keep the module that they wrap."""
_WRAPPERS = ("DistributedDataParallel", "DataParallel", "OptimizedModule", "DeepSpeedEngine")


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module inside any number of wrappers: DDP, DeepSpeed's engine, ``torch.compile``."""
    while type(module).__name__ in _WRAPPERS:
        inner = next((getattr(module, name) for name in _WRAPPED if hasattr(module, name)), None)
        if not isinstance(inner, torch.nn.Module):
            break
        module = inner
    return module


def named_inputs(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A module's inputs by the names of ``forward``'s parameters; a single mapping is taken as these names and values.

    An input without a name there (``*args``) is called ``input_0`` and so on.
    """
    if len(args) == 1 and isinstance(args[0], Mapping):
        return {**args[0], **kwargs}
    try:
        names = [
            one.name
            for one in inspect.signature(unwrapped(module).forward).parameters.values()
            if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        ]
    except (TypeError, ValueError):
        names = []
    named = {names[at] if at < len(names) else f"input_{at}": value for at, value in enumerate(args)}
    return {**named, **kwargs}


def holders_of(parameters: Iterable[torch.Tensor]) -> list[torch.nn.Module]:
    """Every module of this process that has one of these parameters, directly or in a submodule.

    torch does not say which module an optimizer's parameters belong to, so all objects of the process are searched; by
    type, since reading the class of some objects has side effects.
    """
    wanted = {id(parameter) for parameter in parameters}
    return [
        found
        for found in gc.get_objects()
        # by type: reading an object's class runs its own code, and some of torch's objects then warn
        if issubclass(type(found), torch.nn.Module) and any(id(one) in wanted for one in found.parameters())
    ]


def outermost_of(modules: Iterable[torch.nn.Module]) -> list[torch.nn.Module]:
    """The modules that are not inside another one of these, without wrappers, each once."""
    every = list(modules)
    inside = {id(part) for module in every for part in module.modules() if part is not module}
    found = {id(module): module for module in map(unwrapped, (one for one in every if id(one) not in inside))}
    return list(found.values())


def is_in_backward() -> bool:
    """Whether autograd is running a backward pass now, in which checkpointed activations are recomputed."""
    task = getattr(torch._C, "_current_graph_task_id", None)  # since torch 2.1
    return task is not None and task() != -1


class CallWatch:
    """Watches every outermost call of the watched modules while gradients are recorded.

    Args:
        before: called with the unwrapped module (no DDP or the like) and its inputs by name.
        after: called with the same module and its output.
        unrecorded: called before such a call if no gradients are recorded, as in an evaluation.
    """

    def __init__(
        self,
        before: Callable[[torch.nn.Module, dict[str, Any]], None],
        after: Callable[[torch.nn.Module, Any], None],
        unrecorded: Callable[[], None] = lambda: None,
    ) -> None:
        self._before = before
        self._after = after
        self._unrecorded = unrecorded
        self._inside: torch.nn.Module | None = None
        self._watched: dict[int, torch.nn.Module] = {}
        self._handles: list[Any] = []

    def watch(self, modules: Iterable[torch.nn.Module]) -> None:
        """Watch these as well. Submodules of a compiled module are skipped: they are traced once, with their hooks."""
        every = {id(module): module for module in modules}
        compiled = [module for module in every.values() if type(module).__name__ == "OptimizedModule"]
        traced = {id(part) for module in compiled for part in module.modules() if part is not module}
        for key, module in every.items():
            if key not in self._watched and key not in traced:
                self._watched[key] = module
                self._handles += [
                    module.register_forward_pre_hook(self._enter, with_kwargs=True, prepend=True),
                    module.register_forward_hook(self._leave, always_call=True),
                ]

    def stop(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._watched = [], {}

    def _enter(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._inside is not None or is_in_backward():  # recomputed activations are not a new call
            return
        if torch.is_grad_enabled():
            self._inside = module
            self._before(unwrapped(module), named_inputs(module, args, kwargs))
        else:
            self._unrecorded()

    def _leave(self, module: torch.nn.Module, _: tuple[Any, ...], output: Any) -> None:
        if self._inside is module:
            self._inside = None
            self._after(unwrapped(module), output)
