"""A program's own hooks on parameters, which change gradients: does its control apply what they make of them?

A hook that masks rows of an embedding belongs to the program, and so to its right gradient. A hook that multiplies by
the accumulation steps does not: in this process, which accumulates most, it would spoil the reference. In the control,
which accumulates least, it shows least. So for each such parameter the reference takes what is nearer to the control.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader, named_parameters_of

Vector = npt.NDArray[np.float64]

_LISTS = ("_backward_hooks", "_post_accumulate_grad_hooks")
"""Where torch keeps the hooks of a leaf: no public function lists or removes those of others."""


def hooked_parameters(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The trained parameters with hooks of the program, by the names that readers give them."""
    return {name: one for name, one in named_parameters_of(model).items() if one.requires_grad and any(_hooks_of(one))}


def _hooks_of(parameter: torch.nn.Parameter) -> list[Any]:
    return [found for name in _LISTS if (found := getattr(parameter, name, None))]


def leave_out_hooks(
    model: torch.nn.Module,
    hooked: Mapping[str, torch.nn.Parameter],
    losses: Iterable[Callable[[], tuple[torch.Tensor, int]]],
    reader: GradientReader,
    control: npt.NDArray[np.floating[Any]],
) -> tuple[str, ...]:
    """Remove the hooks from the parameters in which the control is nearer to the gradient without them.

    Args:
        model: its gradients are cleared.
        hooked: see `hooked_parameters`.
        losses: of the samples of one step: each computes a mean loss and its number of tokens.
        reader: reads the gradient.
        control: the gradient that the control applied in that step, at the reader's coordinates.

    Returns:
        The names of these parameters.
    """
    with_hooks, without = _both(model, hooked, losses, reader)
    places = reader.coordinates
    own = np.repeat([name in hooked for name in places.names], places.sizes)
    times = _times(control[~own], with_hooks[~own])  # the control may be wrong by a factor in all parameters
    left_out = []
    for name, start, size in zip(places.names, places.starts, places.sizes, strict=True):
        if name not in hooked:
            continue
        at = slice(start, start + size)
        off, off_without = (float(np.linalg.norm(control[at] - times * one[at])) for one in (with_hooks, without))
        if off_without < off:
            for hooks in _hooks_of(hooked[name]):
                hooks.clear()
            left_out.append(name)
    return tuple(left_out)


def _both(
    model: torch.nn.Module,
    hooked: Mapping[str, torch.nn.Parameter],
    losses: Iterable[Callable[[], tuple[torch.Tensor, int]]],
    reader: GradientReader,
) -> tuple[Vector, Vector]:
    """The mean gradient of these samples with the hooks, and without, both ``[coordinates]``."""
    came: dict[str, torch.Tensor] = {}
    handles = [_first_hook(parameter, name, came) for name, parameter in hooked.items()]
    place = {name: at for at, name in enumerate(reader.coordinates.names)}
    width = sum(reader.coordinates.sizes)
    with_hooks, without, total = np.zeros(width), np.zeros(width), 0
    try:
        for compute in losses:
            model.zero_grad(set_to_none=True)
            came.clear()
            loss, tokens = compute()
            torch.autograd.backward(loss)
            entries = reader.read(model)[0].astype(np.float64)
            bare = entries.copy()
            for name, gradient in came.items():
                start, size = (part[place[name]] for part in (reader.coordinates.starts, reader.coordinates.sizes))
                bare[start : start + size] = reader.entries(place[name], gradient)
            with_hooks, without, total = with_hooks + tokens * entries, without + tokens * bare, total + tokens
    finally:
        for handle in handles:
            handle.remove()
        model.zero_grad(set_to_none=True)
    return with_hooks / max(total, 1), without / max(total, 1)


def _first_hook(parameter: torch.nn.Parameter, name: str, came: dict[str, torch.Tensor]) -> Any:
    """A hook that runs before the program's, and keeps the gradient that came."""

    def keep(gradient: torch.Tensor) -> None:
        came[name] = gradient.detach().reshape(-1).clone()

    hooks: Any = parameter._backward_hooks
    others = dict(hooks or {})
    if hooks:
        hooks.clear()
    handle = parameter.register_hook(keep)  # type: ignore[no-untyped-call]
    if others:  # autograd calls them in the order in which they were inserted, whatever OrderedDict says
        hooks.update(others)
    return handle


def _times(applied: Vector, right: Vector) -> float:
    """The multiple of a gradient that is nearest to another; 1 if it has no entries, or none that is not 0."""
    square = float(right @ right)
    found = float(applied @ right) / square if square > 0 else 1.0
    return found if found > 0 else 1.0
