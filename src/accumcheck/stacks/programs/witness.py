"""The result of running a program with one row at a time: what each row adds to the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.record import Coordinates
from accumcheck.record.fed import FedRow
from accumcheck.rows.sample import Sample
from accumcheck.runfolder.steps import SeenStep


@dataclass(frozen=True)
class Witness:
    """A program that has trained with one row at a time, and what each row added to its gradient.

    Attributes:
        model: the program's model.
        trainer: its Trainer; None if it has its own loop.
        coordinates: the coordinates in which gradients are recorded.
        steps: the rows of each step and the losses that were seen.
        forms: the input of a batch with only this row, by the number of the row.
        fields: the content by which a row is recognised, by its number.
        contributions: what each row added to the gradient, for each step ``[rows, coordinates]``; None if not seen.
        problem: why the program ended early; empty if it did not.
        trains_again: whether another training followed.
        counts: the token count that a Trainer passed, by step.
        autocast: the dtype of the forward passes; None if it is the dtype of the parameters.
    """

    model: torch.nn.Module
    trainer: Any
    coordinates: Coordinates
    steps: tuple[SeenStep, ...]
    forms: Mapping[int, Sample]
    fields: Mapping[int, FedRow]
    contributions: tuple[npt.NDArray[np.floating[Any]] | None, ...]
    problem: str
    trains_again: bool = False
    counts: Mapping[int, float] = field(default_factory=dict)
    autocast: torch.dtype | None = None
