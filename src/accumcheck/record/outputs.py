"""The derivative of a program's loss at the outputs of its model, row by row: what the loss does to each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class OutputRows:
    """What one process saw in one optimizer step, for its rows in the order fed.

    ``names``: of the outputs that a gradient came back to; ``entries``: the smallest number of entries a row has in
    each; ``batches``: the micro-batch of each row, ``[rows]``; ``gradients``: a description of the loss's derivative at
    each row of each output, ``[rows, outputs, numbers]``, zero where none came back; ``values``: likewise of the output
    itself, where that derivative is not zero. A description has the same length whatever the padding, and is
    multiplied by the same factor as what it describes.
    """

    names: tuple[str, ...]
    entries: tuple[int, ...]
    batches: npt.NDArray[np.int64]
    gradients: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
