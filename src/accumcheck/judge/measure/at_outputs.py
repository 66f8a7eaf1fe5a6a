"""A split's rows compared with the control's at the outputs of a program's model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.record import SplitObservation, StepObservation
from accumcheck.record.outputs import OutputRows
from accumcheck.rows.at_outputs import ALWAYS_PARALLEL, SAME, Compared, chosen, compared, is_constant, joined


@dataclass(frozen=True)
class AtOutputs:
    """One step of a split over the control's, for the control's rows in the split's order.

    ``names``: of the outputs; ``batches``: the split's micro-batch of each row, ``[rows]``; ``rows``: the comparison,
    with the average over processes in its factors; ``same``: how far descriptions may differ;
    ``entries``: of a row in each output.
    """

    names: tuple[str, ...]
    batches: npt.NDArray[np.int64]
    rows: Compared
    same: float
    entries: tuple[int, ...]

    @property
    def elsewhere(self) -> npt.NDArray[np.bool_]:
        """Which rows have another derivative at which output, ``[rows, outputs]``, not only another weight.

        With a single degree of freedom, another factor within a micro-batch is all that shows.
        """
        found = ~self.rows.parallel
        for at, entries in enumerate(self.entries):
            if entries <= ALWAYS_PARALLEL and self.by_micro_batch(at) is None:
                found[:, at] |= ~np.isclose(self.factors(at), 1.0, rtol=10 * self.same, equal_nan=True)
        return found

    @property
    def is_one_weight(self) -> bool:
        """Whether each row has one factor in all outputs."""
        return all(self.is_one(row) for row in self.rows.times)

    def factors(self, output: int) -> npt.NDArray[np.float64]:
        """The factor of each row in this output, ``[rows]``; NaN for a row that adds nothing there."""
        return self.rows.times[:, output]

    def by_micro_batch(self, output: int) -> tuple[float, ...] | None:
        """The factor of each micro-batch in this output; None if the rows of one have different ones."""
        found = []
        for batch in dict.fromkeys(self.batches.tolist()):
            known = self.factors(output)[self.batches == batch]
            known = known[np.isfinite(known)]
            if len(known) and not self.is_one(known):
                return None
            found += [float(known.mean())] if len(known) else []
        return tuple(found)

    def is_one(self, factors: Sequence[float] | npt.NDArray[np.float64]) -> bool:
        """Whether these factors are one and the same; true if there are none."""
        return is_constant(np.asarray(factors, dtype=np.float64), self.same)


def at_outputs(split: SplitObservation, control: SplitObservation, step: int, dtype: str) -> AtOutputs | None:
    """Compare one step, counted from 0; None if it was not seen in both, or they were fed other rows.

    Args:
        split: any.
        control: which it is compared with.
        step: that both have.
        dtype: in which the model computes.
    """
    mine, other = (_rows_of(one, step) for one in (split, control))
    if mine is None or other is None:
        return None
    places = {row: at for at, row in enumerate(other[0])}
    if set(places) != set(mine[0]) or len(places) != len(mine[0]) or len(places) != len(other[0]):
        return None
    found = compared(mine[1], chosen(other[1], [places[row] for row in mine[0]]), dtype)
    if found is None:
        return None
    share = control.split.num_processes / split.split.num_processes  # gradients are averaged over processes
    rows = Compared(found.times * share, found.parallel, found.equal)
    return AtOutputs(mine[1].names, mine[1].batches, rows, SAME[dtype], mine[1].entries)


def _rows_of(split: SplitObservation, step: int) -> tuple[list[int], OutputRows] | None:
    """The numbers of the rows of a step, and what was seen of them; None if that is not known of all."""
    if step >= len(split.steps):
        return None
    observed: StepObservation = split.steps[step]
    whole = joined([observed.outputs[process] for process in sorted(observed.outputs)])
    rows = [row for batch in observed.micro_batches for row in batch.samples]
    if whole is None or len(observed.outputs) != split.split.num_processes or len(rows) != len(whole.gradients):
        return None
    return rows, whole
