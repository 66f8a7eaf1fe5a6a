"""Rows of programs made by hand, as `accumcheck.runfolder.fed_rows` has read them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from accumcheck.record import MicroBatch, Split, SplitObservation, StepObservation
from accumcheck.record.fed import FedField, FedRow


def ints(*values: int, whole: bool = False) -> FedField:
    """A row of whole numbers."""
    return FedField(f"ints {values}", (len(values),), whole, values=np.array(values))


def one(value: object, *, whole: bool = False) -> FedField:
    """A single value: a class, a flag, a number that all rows of a micro-batch have."""
    return FedField(f"one {value}", (), whole)


def floats(digest: str, sketch: Sequence[float], *shape: int) -> FedField:
    """Floats, by their norm and projections."""
    return FedField(digest, shape, sketch=tuple(sketch))


def text(*ids: int, labels: Sequence[int] | None = None, **more: FedField) -> FedRow:
    """A row of ids, each of which is its own label."""
    return {"input_ids": ints(*ids), "labels": ints(*(ids if labels is None else labels)), **more}


def split_of(
    name: str, steps: Sequence[Sequence[tuple[int, Sequence[int]]]], rows: dict[int, FedRow]
) -> SplitObservation:
    """A split that was fed ``(process, rows)`` by ``(process, rows)`` in each step."""
    return SplitObservation(
        Split.parse(name),
        "ran",
        steps=tuple(
            StepObservation(
                number, 1.0, None, {0: 1.0}, tuple(MicroBatch(process, tuple(fed)) for process, fed in step), {}
            )
            for number, step in enumerate(steps, start=1)
        ),
        rows=rows,
    )
