"""How a row is identified: by everything that the model is fed of it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.record.fed import FedField
from accumcheck.rows.padding import MASK
from accumcheck.rows.padding_free import POSITIONS
from accumcheck.rows.pairs import CHOSEN, REJECTED
from accumcheck.rows.sample import Entry, Sample, Whole

PRECOMPUTED = ("ref_", "reference_")
"""Prefixes of fields that a stack has computed from the row: between splits they are equal only up to rounding."""
COUNTED = ("num_items_in_batch",)
"""Inputs next to the rows that are computed from all of them."""

_PROJECTIONS = 4
_PERIOD = 2**18
"""Number of entries after which the projections' random numbers repeat."""
_KEPT = 2**16
"""Maximum length of a row of whole numbers whose values are kept, to see how it differs from another."""


def number_of(row: Sample) -> int:
    """60 bits that identify a row, computed from all of its fields."""
    return key_of(fields_of(row))


def key_of(fields: Mapping[str, FedField]) -> int:
    """The same number, computed from the result of `fields_of`."""
    text = ":".join(f"{name}={fields[name].digest}" for name in sorted(fields))
    return int(hashlib.blake2b(text.encode(), digest_size=8).hexdigest()[:15], 16)


def fields_of(row: Sample) -> dict[str, FedField]:
    """Every field of a row that identifies it.

    Floats are rounded to bfloat16, so that a cast to it keeps the identity. Ignored are a mask that shows all
    positions, positions that are counted from 0, None, and values that a stack has computed from the row or
    counted over several rows.
    """
    found = {}
    for name, value, whole in _leaves(row):
        own = name.removeprefix(CHOSEN).removeprefix(REJECTED)
        if value is None or own.startswith(PRECOMPUTED) or own in COUNTED:
            continue
        if isinstance(value, torch.Tensor) and _is_default(own, value):
            continue
        found[name] = _field(value, whole)
    return found


def without_counts(row: Sample) -> Sample:
    """A row without values that were counted over several rows."""
    return {name: value for name, value in row.items() if name not in COUNTED}


def _is_default(name: str, value: torch.Tensor) -> bool:
    """Whether this equals the model's default if the field is not fed."""
    if MASK in name:
        return bool((value == 1).all())
    return name == POSITIONS and value.ndim == 1 and bool((value == torch.arange(len(value))).all())


def _leaves(row: Mapping[str, Any], before: str = "", *, whole: bool = False) -> Iterator[tuple[str, Any, bool]]:
    for name, value in row.items():
        fixed = whole or isinstance(value, Whole)
        inner = value.value if isinstance(value, (Whole, Entry)) else value
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{before}{name}.", whole=fixed)
        else:
            yield f"{before}{name}", inner, fixed


def _field(value: Any, whole: bool) -> FedField:
    if isinstance(value, float):
        value = torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, int):
        return FedField(_digest(repr(int(value)).encode()), whole=whole)
    if isinstance(value, (list, tuple)):
        parts = [_field(one.value if isinstance(one, (Whole, Entry)) else one, whole) for one in _flat(value)]
        return FedField(_digest("|".join(part.digest for part in parts).encode()), (len(value),), whole)
    if not isinstance(value, torch.Tensor):
        return FedField(_digest(repr(value).encode()), whole=whole)
    value = torch.view_as_real(value) if value.is_complex() else value
    shape = tuple(value.shape)
    if value.is_floating_point():
        flat = (value.detach().flatten().to(torch.bfloat16).float() + 0.0).numpy()  # + 0.0: there is one zero
        return FedField(_digest(str(shape).encode() + flat.tobytes()), shape, whole, _sketch(value))
    integers: npt.NDArray[np.int64] = value.detach().long().flatten().numpy()
    kept = integers if value.ndim == 1 and len(integers) <= _KEPT else None
    if value.ndim == 0:
        return FedField(_digest(repr(int(value)).encode()), whole=whole)
    return FedField(_digest(str(shape).encode() + integers.tobytes()), shape, whole, values=kept)


def _flat(values: Any) -> Iterator[Any]:
    for one in values:
        if isinstance(one, Mapping):
            for name in sorted(one):
                yield name
                yield from _flat([one[name]])
        elif isinstance(one, (list, tuple)):
            yield repr(len(one))
            yield from _flat(one)
        else:
            yield one


def _sketch(value: torch.Tensor) -> tuple[float, ...]:
    """The norm, and projections on fixed random directions; empty if an entry is not finite."""
    flat = value.detach().flatten().double().numpy()
    if not np.isfinite(flat).all():
        return ()
    found = [float(np.linalg.norm(flat))]
    for direction in _directions():
        pieces = (flat[start : start + _PERIOD] for start in range(0, len(flat), _PERIOD))
        found.append(float(sum(piece @ direction[: len(piece)] for piece in pieces)))
    return tuple(found)


@functools.cache
def _directions() -> list[npt.NDArray[np.float64]]:
    return list(np.random.default_rng(0).standard_normal((_PROJECTIONS, _PERIOD)))


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()
