"""Inputs of a reference other than the model: its losses, and what the program itself computed for its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accumcheck.record import Coordinates
from accumcheck.record.reference import Unmixed
from accumcheck.reference.samples import Batch, LossOf, rows_in
from accumcheck.reference.together import CountedLoss


class Losses(NamedTuple):
    """A batch's loss: as the user requested it, and without label smoothing, which models do not do themselves.

    ``samples_in``: how many samples a batch has; ``by``: what computes the loss instead of the model, None for the
    model itself; ``counted``: the same loss if it is passed the count of a whole step, None if it takes none;
    ``at_step``: called with a step's number, from 0, before its losses are computed;
    ``counts``: the counts that the stack passed in each step.
    """

    asked: LossOf
    plain: LossOf
    samples_in: Callable[[Batch], int] = rows_in
    by: str | None = None
    counted: CountedLoss | None = None
    at_step: Callable[[int], None] = lambda _: None
    counts: Mapping[int, float] = MappingProxyType({})


class Testimony(NamedTuple):
    """What a program itself computed for its rows, one by one.

    ``directions``: ``[samples, coordinates]``, what each sample added to the gradient when the program trained it
    alone; ``known``: which samples have one; ``trains_again``:
    whether the program then began another training; ``unmixed``: finds out, by running it again if necessary, what a
    row's neighbours change, see `ReferenceObservation`; ``other_hooks``: parameters whose directions were changed by
    hooks that the reference leaves out.
    """

    directions: npt.NDArray[np.floating[Any]]
    known: npt.NDArray[np.bool_]
    trains_again: bool = False
    unmixed: Callable[[], Unmixed | None] = lambda: None
    other_hooks: tuple[str, ...] = ()

    def comparable(self, places: Coordinates) -> slice | npt.NDArray[np.bool_]:
        """The coordinates at which directions should be those of the reference."""
        if not self.other_hooks:
            return slice(None)
        return np.repeat([name not in self.other_hooks for name in places.names], places.sizes)
