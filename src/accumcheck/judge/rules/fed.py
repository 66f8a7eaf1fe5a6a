"""The rows of one step, in the order fed: what the weights of a rule depend on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.record import MicroBatch

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fed:
    """One entry per row fed, ``[rows]``; rows that are not samples of the workload are left out.

    ``sample``: its index in the workload; ``process``; ``batch``: its micro-batch, counted through the step; ``place``:
    that of its micro-batch in its process's window, from 1; ``window``: how many micro-batches that window has;
    ``size``: rows of its micro-batch; ``tokens``, ``labels``: predicted tokens, unmasked labels.
    ``k``: micro-batches of the busiest process; ``n``: replicas.
    """

    sample: Ints
    process: Ints
    batch: Ints
    place: Ints
    window: Ints
    size: Ints
    tokens: Ints
    labels: Ints
    k: int
    n: int

    @classmethod
    def of(cls, micro_batches: Sequence[MicroBatch], tokens: Ints, labels: Ints, n: int) -> Fed:
        """List the rows of micro-batches.

        Args:
            micro_batches: of the step, each process's in the order fed.
            tokens: predicted tokens of every sample of the workload, ``[samples]``.
            labels: unmasked labels, the same shape.
            n: replicas.
        """
        windows = Counter(one.process for one in micro_batches)
        places: Counter[int] = Counter()
        rows: list[tuple[int, int, int, int, int, int]] = []
        for batch, one in enumerate(micro_batches):
            places[one.process] += 1
            known = [index for index in one.samples if index >= 0]
            place, window = places[one.process], windows[one.process]
            rows += [(index, one.process, batch, place, window, len(known)) for index in known]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 6).T
        sample, process, number, nth, window_of, size = columns
        k = max(windows.values(), default=1)
        return cls(sample, process, number, nth, window_of, size, tokens[sample], labels[sample], k, n)

    def total(self, counts: Ints, by: Ints | None = None) -> Ints:
        """``counts`` added up over all rows, or over those that share an entry of ``by``; at least 1, ``[rows]``."""
        if by is None:
            return np.full(len(counts), max(int(counts.sum()), 1))
        sums = np.bincount(by, weights=counts, minlength=1).astype(np.int64)
        return np.asarray(np.maximum(sums[by], 1))
