"""The derivative of a loss at each row of a model's outputs, as a hook on the output receives it.

It is all that the loss has to do with the model: a row's gradient is this derivative, propagated through the model. So
it shows how a loss that only the program computes weights each row, and whether it compares rows with each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.record.outputs import OutputRows

if TYPE_CHECKING:
    from accumcheck.capture.losses import Watched
    from accumcheck.capture.windows import Group, Part

DIRECTIONS = 16
"""Random directions in a description."""
_MOST = 32
"""Tensors looked at in one output."""

Vector = npt.NDArray[np.float64]


class Described(NamedTuple):
    """One output of one forward: see `OutputRows`; ``entries`` of one row, the others ``[rows, numbers]``."""

    entries: int
    gradients: Vector
    values: Vector


def differentiable(output: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors with a graph in a forward's output, at most `_MOST`, with their places in it."""
    waiting, found = [("", output)], 0
    while waiting and found < _MOST:
        name, value = waiting.pop(0)
        inside: list[tuple[Any, Any]] = []
        if isinstance(value, torch.Tensor):
            if value.requires_grad:
                found += 1
                yield name or "output", value
        elif isinstance(value, Mapping):
            inside = list(value.items())
        elif isinstance(value, (tuple, list)):
            inside = list(enumerate(value))
        waiting += [(f"{name}.{key}" if name else str(key), one) for key, one in inside]


def described(gradient: torch.Tensor, output: torch.Tensor, rows: int) -> Described | None:
    """Describe the derivative at an output, row by row; None if the output does not have one part for each row.

    The parts of a row are summed over all dimensions except the last, and multiplied by random signs there. So padding,
    whose derivative is zero, changes nothing. Norms are added, which do not depend on the order of positions.

    Args:
        gradient: at the output.
        output: of the same shape.
        rows: their number; the first or the second dimension.
    """
    dims = [at for at, size in enumerate(gradient.shape[:2]) if size == rows]
    if not dims or not gradient.is_floating_point() or gradient.is_sparse:
        return None
    wide = torch.float64 if gradient.dtype == torch.float64 else torch.float32
    parts, values, entries = [], [], 0
    for row in range(rows):
        mine, of = (_in_two_dimensions(one.select(dims[0], row)) for one in (gradient, output.detach()))
        entries = mine.numel()
        signs = _signs(mine.shape[1], mine.device, wide)
        norms = [torch.linalg.vector_norm(mine, order, dtype=wide) for order in (1, 2)]
        parts.append(torch.cat([mine.sum(0, dtype=wide) @ signs, torch.stack(norms)]))
        used = ((mine.amax(1) != 0) | (mine.amin(1) != 0)).to(of.dtype)  # extremes, since a copy could be too large
        sizes = torch.linalg.vector_norm(of, dim=1, dtype=wide)
        values.append(torch.cat([(used @ of).to(wide) @ signs, (used.to(wide) @ sizes)[None]]))
    return Described(entries, *(torch.stack(one).cpu().numpy().astype(np.float64) for one in (parts, values)))


def outputs_of(groups: Sequence[Group], parts: Sequence[Part], loss_scale: float) -> OutputRows | None:
    """What was seen in one window; None if a gradient came back to something that has no part for each row.

    Args:
        groups: of the window.
        parts: its micro-batches.
        loss_scale: the factor on losses that is only there for float16.
    """
    each = [_of_part(_watched(groups, part)) for part in parts]
    found = [one for one in each if one is not None]
    names = tuple(sorted({name for one in found for name in one}))  # gradients come in any order
    if not names or len(found) < len(parts):
        return None
    if any(len(one.gradients) != len(part.rows) for part, of in zip(parts, found, strict=True) for one in of.values()):
        return None
    like = {name: next(one[name] for one in found if name in one) for name in names}
    entries = tuple(min(one[name].entries for one in found if name in one) for name in names)

    def together(field: str) -> Vector:
        batches = [
            np.stack(
                [
                    getattr(of[name], field)
                    if name in of
                    else np.zeros((len(part.rows), getattr(like[name], field).shape[1]))
                    for name in names
                ],
                axis=1,
            )
            for part, of in zip(parts, found, strict=True)
        ]
        return np.concatenate(batches)

    batches = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
    return OutputRows(names, entries, batches, together("gradients") / loss_scale, together("values"))


def _watched(groups: Sequence[Group], part: Part) -> list[Watched]:
    """The forwards of one micro-batch that a gradient came back to."""
    calls = [call.passage for at in part.groups for call in groups[at].counted] if part.groups else [part.passage]
    return [call for call in calls if call is not None and call.at_outputs]


def _of_part(forwards: Sequence[Watched]) -> dict[str, Described] | None:
    """By name, over the forwards of one micro-batch; None if one of them cannot be described."""
    found = {}
    for number, forward in enumerate(forwards, start=1):
        for name, one in forward.at_outputs.items():
            if one is None:
                return None
            found[name if len(forwards) == 1 else f"{name} of forward {number}"] = one
    return found


def _in_two_dimensions(row: torch.Tensor) -> torch.Tensor:
    return row.reshape(-1, row.shape[-1]) if row.ndim else row.reshape(1, 1)


@lru_cache(maxsize=16)
def _signs(width: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Random signs, ``[width, DIRECTIONS]``; of two widths, the first rows are the same."""
    draw = torch.Generator().manual_seed(0)
    return (torch.randint(2, (width, DIRECTIONS), generator=draw) * 2 - 1).to(device, dtype)
