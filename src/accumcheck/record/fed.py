"""A summary of a row that a program fed its model: enough to see whether and how two rows differ."""

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

    ``digest``: of its shape and contents; ``shape``: ``()`` for a single value; ``whole``: fed once for all rows of a
    micro-batch, not row by row; ``sketch``: for floats, their norm and a few projections that zeros at the end
    do not change; ``values``: one-dimensional whole numbers, which start at ``start`` in their file.
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
"""A row by the names of its fields; names of nested fields are joined by dots."""
