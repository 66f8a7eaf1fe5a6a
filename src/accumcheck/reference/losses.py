"""What a reference is computed from beside the model: its losses, and what the program itself made of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from accumcheck.reference.samples import Batch, LossOf, rows_in
from accumcheck.reference.together import CountedLoss


class Losses(NamedTuple):
    """What a batch's loss is: as the user asked for it, and without label smoothing, which no model does itself.

    ``samples_in``: how many samples a batch has; ``by``: what computes the loss in the model's place, None for the
    model itself; ``counted``: the same loss where it is passed the count of a whole step, None where it takes none;
    ``at_step``: called with a step's number, from 0, before its losses are asked for;
    ``counts``: those that the stack passed in each step.
    """

    asked: LossOf
    plain: LossOf
    samples_in: Callable[[Batch], int] = rows_in
    by: str | None = None
    counted: CountedLoss | None = None
    at_step: Callable[[int], None] = lambda _: None
    counts: Mapping[int, float] = MappingProxyType({})


class Testimony(NamedTuple):
    """What a program itself made of its rows, one by one.

    ``directions``: ``[samples, coordinates]``, what each sample added to the gradient when the program trained it
    alone; ``known``: which of the samples have one; ``trains_again``:
    whether the program then began another training.
    """

    directions: npt.NDArray[np.floating[Any]]
    known: npt.NDArray[np.bool_]
    trains_again: bool = False
