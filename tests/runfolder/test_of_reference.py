"""The reference's files: what is written is read back, arrays and all."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from accumcheck.record import (
    BatchedStep,
    BatchTerm,
    Coordinates,
    Divergence,
    LossProbe,
    ModelRecord,
    Recomputation,
    ReferenceObservation,
)
from accumcheck.runfolder.of_reference import open_gradients, read_keys, read_reference, write_reference

FOUND = ReferenceObservation(
    losses=np.array([1.5, 2.5]),
    tokens=np.array([3, 4]),
    labels=np.array([4, 5]),
    gradients=np.zeros((2, 3)),
    grad_norms=(0.5, 0.25),
    membership=((0, 1), (1, 0)),
    coordinates=Coordinates(("weight",), (3,), (0,), 3),
    noise=Divergence(1e-7, None, 2e-7),
    batch_effect=0.25,
    model=ModelRecord("LlamaForCausalLM", 3, "float32", shrunk=True),
    batched=(
        BatchedStep("token-mean", 1, 2, ((0, 1),), 2.0, 0.5, np.array([1.0, 2.0, 3.0]), 0.5, np.array([0.0, 0.5, 1.0])),
        BatchedStep("token-mean", 2, 2, ((1, 0),), 2.0, 0.5, np.array([4.0, 5.0, 6.0]), 0.5, np.array([1.5, 2.0, 2.5])),
    ),
    batch_term=BatchTerm("router z-loss, of the layers", additive=True, complete=False),
    probe=LossProbe("divides", "cross_entropy", "sum", keeps_apart=True),
    recomputed=(Recomputation("last sample first", 1, Divergence(0.0, 0.0, 1e-8), np.array([7.0, 8.0, 9.0])),),
)


def written(folder: Path, found: ReferenceObservation, keys: list[tuple[int, int]] | None) -> ReferenceObservation:
    (folder / "reference").mkdir()
    gradients = open_gradients(folder / "reference", 2, 3, double=True)
    gradients[:] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    write_reference(folder / "reference", replace(found, gradients=gradients), keys)
    back = read_reference(folder)
    assert back is not None
    return back


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return type(other) is np.ndarray and one.tolist() == other.tolist()
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, BatchedStep | Recomputation):
        return all(same(getattr(one, place.name), getattr(other, place.name)) for place in fields(one))
    return bool(one == other)


def test_everything_comes_back(tmp_path: Path) -> None:
    back = written(tmp_path, FOUND, [(70, 0), (70, 1)])
    assert back.gradients.tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    for place in fields(FOUND):
        if place.name != "gradients":
            assert same(getattr(FOUND, place.name), getattr(back, place.name)), place.name
    assert read_keys(tmp_path) == ((70, 0), (70, 1))


def test_a_plain_reference_has_no_more_files_than_it_needs(tmp_path: Path) -> None:
    plain = replace(FOUND, batched=(), recomputed=(), batch_term=None, probe=LossProbe())
    back = written(tmp_path, plain, None)
    assert (back.batched, back.recomputed, back.batch_term) == ((), (), None)
    assert read_keys(tmp_path) is None
    assert sorted(path.name for path in (tmp_path / "reference").iterdir()) == [
        "gradients.npy",
        "labels.npy",
        "losses.npy",
        "reference.json",
        "tokens.npy",
    ]


def test_a_job_that_did_not_end_has_left_no_reference(tmp_path: Path) -> None:
    assert read_reference(tmp_path) is None
    (tmp_path / "reference").mkdir()
    open_gradients(tmp_path / "reference", 2, 3, double=False)
    assert read_reference(tmp_path) is None
