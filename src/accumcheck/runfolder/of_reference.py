"""The reference's results: the right values of every sample, as arrays and one record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from accumcheck.record import BatchedStep, Recomputation, ReferenceObservation, UndividedTerm
from accumcheck.runfolder.arrays import read_array
from accumcheck.runfolder.codec import decode, decode_fields, read_record, write_record
from accumcheck.runfolder.layout import REFERENCE
from accumcheck.runfolder.space import reserve_space

RowKey = tuple[int, int]
"""A row's number, and how often it came before in its step: two rows with equal content are two samples."""

_FILE = "reference.json"
_OBSERVATION, _KEYS = "observation", "keys"
_GRADIENTS = "gradients"
_ARRAYS = ("losses", "tokens", "labels", "predicted")
"""Fields of `ReferenceObservation` that are an array ``[samples]`` in a file with the field's name."""
_RECOMPUTED = "recomputed.npy"
_UNDIVIDED = "undivided.npy"
_BATCHED = {"gradient": "batched.npy", "term_gradient": "batched-term.npy"}
"""The arrays of `BatchedStep`, one row per step."""


def open_gradients(
    folder: Path, samples: int, coordinates: int, *, double: bool
) -> np.memmap[Any, np.dtype[np.floating[Any]]]:
    """The array ``[samples, coordinates]`` of every sample's gradient, mapped to its file: it may exceed the memory.

    Raises:
        OSError: there is no space for it; without this check, a write would end the process with SIGBUS.
    """
    kind = np.float64 if double else np.float32
    path = folder / f"{_GRADIENTS}.npy"
    gradients = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=(samples, coordinates))
    reserve_space(path)
    return gradients


def write_reference(folder: Path, found: ReferenceObservation, keys: Sequence[RowKey] | None) -> None:
    """Write the reference.

    Args:
        folder: the job's.
        found: its ``gradients`` are from `open_gradients` in the same folder.
        keys: how the splits identify samples, if not by their place in ``losses``.
    """
    for name in _ARRAYS:
        if (values := getattr(found, name)) is not None:
            np.save(folder / f"{name}.npy", values)
    if found.recomputed:
        np.save(folder / _RECOMPUTED, np.stack([one.gradient for one in found.recomputed]))
    for name, file in _BATCHED.items():
        rows = [getattr(step, name) for step in found.batched]
        if rows and rows[0] is not None:
            np.save(folder / file, np.stack(rows))
    if found.undivided is not None:
        np.save(folder / _UNDIVIDED, found.undivided.gradients)
    write_record(folder / _FILE, {_OBSERVATION: found, _KEYS: keys})


def read_reference(run: Path) -> ReferenceObservation | None:
    """The reference of a run, or None if its job did not run to its end.

    Raises:
        OSError: an array is missing.
        ValueError: a file has other contents.
    """
    folder = run / REFERENCE
    if not (folder / _FILE).exists():
        return None
    record = _read(folder)[_OBSERVATION]
    plain = decode_fields(ReferenceObservation, {**record, "recomputed": [], "batched": [], "undivided": None})
    files = {name: folder / f"{name}.npy" for name in (*_ARRAYS, _GRADIENTS)}
    arrays = {name: read_array(file) for name, file in files.items() if file.exists()}
    more = {
        "recomputed": _recomputed(folder, record["recomputed"]),
        "batched": _batched(folder, record["batched"]),
        "undivided": _undivided(folder, record.get("undivided")),
    }
    return ReferenceObservation(**{**plain, **arrays, **more})


def read_keys(run: Path) -> tuple[RowKey, ...] | None:
    """How the splits identify samples, in the reference's order; None if by their place in its arrays.

    Raises:
        FileNotFoundError: there is no reference.
    """
    keys = _read(run / REFERENCE)[_KEYS]
    return None if keys is None else decode(tuple[RowKey, ...], keys)


def _read(folder: Path) -> dict[str, Any]:
    return read_record(dict[str, Any], folder / _FILE)


def _recomputed(folder: Path, passes: Sequence[Any]) -> tuple[Recomputation, ...]:
    gradients = read_array(folder / _RECOMPUTED) if passes else ()
    return tuple(
        Recomputation(**decode_fields(Recomputation, one), gradient=gradient)
        for one, gradient in zip(passes, gradients, strict=True)
    )


def _undivided(folder: Path, term: Any) -> UndividedTerm | None:
    return None if term is None else UndividedTerm(term["name"], read_array(folder / _UNDIVIDED))


def _batched(folder: Path, steps: Sequence[Any]) -> tuple[BatchedStep, ...]:
    arrays = {name: read_array(folder / file) for name, file in _BATCHED.items() if (folder / file).exists()}
    return tuple(
        BatchedStep(**{**decode_fields(BatchedStep, step), **{name: rows[index] for name, rows in arrays.items()}})
        for index, step in enumerate(steps)
    )
