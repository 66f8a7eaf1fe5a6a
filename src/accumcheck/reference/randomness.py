"""Is the forward pass random, and in which module? The same batch is computed several times at the same weights."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from accumcheck.record import RandomForward

TIMES = 4
"""How often a batch is computed: a model that skips layers at random sometimes gives the same result."""
RANDOM = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 1e-2}
"""Results of the same computation differ by less than this, relative to their norm, even if threads reorder sums."""


def random_forward(model: torch.nn.Module, compute: Callable[[], Any]) -> RandomForward | None:
    """The module whose result for the same input changes from call to call; None if there is none.

    Args:
        model: everything that is called, in the mode used for training.
        compute: calls it once, with the same batch each time.
    """
    with torch.no_grad():
        first, *others = [_tensors(compute()) for _ in range(TIMES)]
        most = max(_apart(first, other) for other in others)
        if most == 0:
            return None
        watch = _Watch(model)
        try:
            compute()
            calls = watch.take()
            for _ in range(TIMES):  # a random choice may give the same result by chance
                compute()
                if source := _source(calls, watch.take()):
                    return RandomForward(source, most)
        finally:
            watch.stop()
    return RandomForward("", most)


def is_stateful(compute: Callable[[], Any]) -> bool:
    """Whether results differ although the same random numbers are drawn: then they depend on the number of calls."""
    with torch.no_grad(), torch.random.fork_rng():
        results = []
        before, of_numpy = random.getstate(), np.random.get_state()
        for _ in range(2):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            results.append(_tensors(compute()))
        random.setstate(before)
        np.random.set_state(of_numpy)
    return _apart(*results) > 0


def _source(first: Sequence[_Call], second: Sequence[_Call]) -> str:
    """The innermost module that returned another result for the same input; empty if there is none.

    If a module skips a submodule at random, the submodule is missing in one of the two.
    """
    again = _numbered(second)
    for key, one in _numbered(first).items():  # in order of return: the innermost first
        other = again.get(key)
        if other is not None and _apart(one.given, other.given) == 0 and _apart(one.returned, other.returned) > 0:
            return one.name
    return ""


def _numbered(calls: Sequence[_Call]) -> dict[tuple[str, int], _Call]:
    """The calls by the module's name, and how often it was called before."""
    seen: Counter[str] = Counter()
    found = {}
    for call in calls:
        found[call.name, seen[call.name]] = call
        seen[call.name] += 1
    return found


class _Call:
    """One completed call of a module."""

    __slots__ = ("given", "name", "returned")

    def __init__(self, name: str, given: list[torch.Tensor], returned: list[torch.Tensor]) -> None:
        self.name, self.given, self.returned = name, given, returned


class _Watch:
    """Keeps the inputs and outputs of every module."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._calls: list[_Call] = []
        self._handles = [
            module.register_forward_hook(self._hook(name, module), with_kwargs=True)
            for name, module in model.named_modules()
        ]

    def take(self) -> list[_Call]:
        """The calls since the last time."""
        taken, self._calls = self._calls, []
        return taken

    def stop(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str, module: torch.nn.Module) -> Any:
        called = f"{name} ({type(module).__name__})" if name else type(module).__name__

        def returned(_: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            self._calls.append(_Call(called, _tensors((args, kwargs)), _tensors(output)))

        return returned


def _tensors(value: Any) -> list[torch.Tensor]:
    """Copies of the tensors in a value, at any depth."""
    if isinstance(value, torch.Tensor):
        return [value.detach().clone()]
    if isinstance(value, Mapping):
        return [one for part in value.values() for one in _tensors(part)]
    if isinstance(value, (tuple, list)):
        return [one for part in value for one in _tensors(part)]
    return []


def _apart(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> float:
    """The largest difference, relative to the norm; 0 if none is larger than rounding, or nothing is a number."""
    if len(first) != len(second) or any(one.shape != other.shape for one, other in zip(first, second, strict=False)):
        return 1.0
    most = 0.0
    for one, other in zip(first, second, strict=True):
        if not one.is_floating_point():
            most = max(most, 0.0 if torch.equal(one, other) else 1.0)
            continue
        norm = float(torch.linalg.vector_norm(one.double()))
        off = float(torch.linalg.vector_norm(one.double() - other.double()))
        apart = off / norm if norm > 0 else float(off > 0)
        most = max(most, apart if apart > RANDOM.get(one.dtype, 1e-5) else 0.0)
    return most
