"""Divides the fields of a batch into rows: one entry per row if there is one, the whole value if it is constant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from accumcheck.errors import UnsupportedError
from accumcheck.rows.sample import IMAGE_FIELDS, Entry, Whole

PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)
"""Types without rows."""
_FIRST = ("input_ids", "inputs_embeds", "labels", "input_values", "input_features")
"""Fields whose first dimension gives the number of rows, with priority over all others."""


def size_of(batch: Mapping[str, Any]) -> int:
    """How many rows a batch has, 0 if nothing in it has rows.

    Known fields decide; else the most frequent first dimension of tensors, with ties the earlier one; else
    the first list.
    """
    leaves = dict(_leaves(batch))
    tensors = {name: value for name, value in leaves.items() if isinstance(value, torch.Tensor) and value.ndim}
    for name in _FIRST:
        if name in tensors:
            return len(tensors[name])
    lengths = Counter(len(value) for name, value in tensors.items() if not name.startswith(IMAGE_FIELDS))
    if not lengths:
        lengths = Counter(len(value) for value in tensors.values())
    if lengths:
        return lengths.most_common(1)[0][0]
    lists = (value for value in leaves.values() if _has_entries(value))
    return len(next(lists, ()))


def _leaves(batch: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in batch.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


class Dealer:
    """Divides fields into rows, and remembers whole ones: a value without one entry per row must be constant."""

    def __init__(self) -> None:
        self._constants: dict[str, Any] = {}

    def deal(self, name: str, value: Any, size: int) -> list[Any]:
        """One value for each of ``size`` rows: a tensor, a dictionary, an `Entry`, or the same `Whole` for all.

        A tensor whose first dimension is 1 belongs to every row.

        Raises:
            UnsupportedError: it has no entry per row and differs from the one before; or its type is unknown.
        """
        if isinstance(value, Mapping):
            parts = {str(key): self.deal(f"{name}.{key}", one, size) for key, one in value.items()}
            return [{key: rows[index] for key, rows in parts.items()} for index in range(size)]
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            if value.ndim and len(value) in (size, 1):
                return [value[index if len(value) == size else 0] for index in range(size)]
        elif isinstance(value, np.generic):
            value = value.item()
        elif isinstance(value, np.ndarray) and value.ndim and len(value) == size:
            return [Entry(torch.from_numpy(np.array(one)), "array") for one in value]
        elif _has_entries(value) and len(value) == size:
            kind: Any = "tuple" if isinstance(value, tuple) else "list"
            return [Entry(_on_cpu(one), kind) for one in value]
        whole = _on_cpu(torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value)
        self._check_carried(name, whole)
        if not _is_single(whole):
            self._check_constant(name, whole, size)
        return [Whole(whole)] * size

    def _check_constant(self, name: str, value: Any, size: int) -> None:
        before = self._constants.setdefault(name, value)
        if not _same(before, value):
            raise UnsupportedError(
                f"{_cannot_be_dealt(name, value, size)}; and it is not constant: before, it was {_size(before)}"
            )

    def _check_carried(self, name: str, value: Any) -> None:
        if isinstance(value, (list, tuple)):
            for one in value:
                self._check_carried(name, one)
        elif isinstance(value, Mapping):
            for key, one in value.items():
                self._check_carried(f"{name}.{key}", one)
        elif not isinstance(value, (*PLAIN, torch.Tensor)):
            kind = f"{type(value).__module__}.{type(value).__qualname__}"
            raise UnsupportedError(
                f"the model was fed {name}, a {kind}, which cannot be kept for the reference; use tensors, numbers, "
                "strings, or lists or dictionaries of these"
            )


def refused(name: str, value: Any, size: int) -> UnsupportedError:
    """The error for a field that cannot be divided into rows."""
    return UnsupportedError(_cannot_be_dealt(name, value, size))


def _cannot_be_dealt(name: str, value: Any, size: int) -> str:
    return (
        f"the model was fed {name} of {_size(value)} for {size} rows; which part belongs to which row is not known, "
        "so a reference for a single row cannot be computed"
    )


def _size(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"shape {tuple(value.shape)}"
    return f"{len(value)} entries" if isinstance(value, (list, tuple)) else repr(value)[:40]


def _has_entries(value: Any) -> bool:
    """Whether this may have one entry per row: a tuple of plain numbers is a size or a shape, a list of them is not."""
    if isinstance(value, tuple) and not all(isinstance(one, (torch.Tensor, Mapping, list, str)) for one in value):
        return False
    return isinstance(value, (list, tuple)) and len(value) > 0


def _is_single(value: Any) -> bool:
    return isinstance(value, PLAIN) or (isinstance(value, torch.Tensor) and value.ndim == 0)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        return {str(name): _on_cpu(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_on_cpu, value)) if type(value) in (list, tuple) else list(map(_on_cpu, value))
    return value.item() if isinstance(value, np.generic) else value


def moved(batch: Mapping[str, Any], device: str | torch.device) -> dict[str, Any]:
    """The batch with all its tensors, including nested ones, on a device."""
    return {name: _moved(value, device) for name, value in batch.items()}


def _moved(value: Any, device: str | torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return moved(value, device)
    if type(value) in (list, tuple):
        return type(value)(_moved(one, device) for one in value)
    return value


def entries_of(rows: Sequence[Entry]) -> Any:
    """The value of which these were the entries."""
    if rows[0].sequence == "array":
        return np.stack([row.value.numpy() for row in rows])
    values = [row.value for row in rows]
    return tuple(values) if rows[0].sequence == "tuple" else values
