"""What is known of a row that a program fed its model, without the row: enough to tell two apart and to say how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class FedField:
    """One field of a row.

    ``digest``: of its shape and contents; ``shape``: ``()`` for a single value; ``whole``: it was fed once for all rows
    of a micro-batch, and not one by one; ``sketch``: of floats, their norm and a few projections that zeros at the end
    do not change; ``values``: whole numbers of one dimension, which start at ``start`` in their file.
    """

    digest: str
    shape: tuple[int, ...] = ()
    whole: bool = False
    sketch: tuple[float, ...] = ()
    start: int = -1
    values: npt.NDArray[np.integer[Any]] | None = field(default=None, compare=False)

    @property
    def length(self) -> int:
        """Entries along the first dimension; 1 for a single value."""
        return self.shape[0] if self.shape else 1


FedRow: TypeAlias = Mapping[str, FedField]
"""A row by the names of its fields; those of nested fields are joined by dots."""
