"""A program that was run one row after the other, as a witness of what each row adds to its gradient."""

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
    """A program that has trained one row after the other: what it made, and what each row added to its gradient.

    ``trainer``: None where a loop of the program's own trains; ``steps``: the rows of each step and what was seen of
    their losses; ``forms``: what the program feeds for a batch of one row, by the row's number; ``fields``: likewise,
    what tells these rows from others; ``contributions``: of each step, ``[rows, coordinates]``, None where they could
    not be seen; ``problem``: why it ended early, if it did;
    ``trains_again``: whether another training followed; ``counts``: the token count that a Trainer passed in each step;
    ``autocast``: what forward passes were computed in, None where that is the parameters' dtype.
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
