"""What each micro-batch's backward adds to the gradient in this process, before it is accumulated or reduced.

A hook on a parameter receives the gradient of one backward pass, before DDP's reduction and before the sum over the
window. Whatever the program does to the accumulated gradient later, this is what its backward passes produced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from accumcheck.capture.coordinates import GradientReader, share_out
from accumcheck.capture.shards.whole import flat_of

ENTRIES = 8192
"""Minimum of entries kept per micro-batch: far more than a step has samples, so that sample weights can be solved."""
OF_A_STEP = 2**20
"""Kept of all micro-batches of a step together: 4 MiB. A small model's gradients are kept whole."""


def entries_each(micro_batches: int) -> int:
    """How many entries to keep of each micro-batch's contribution, if a step has this many micro-batches."""
    return max(ENTRIES, OF_A_STEP // max(micro_batches, 1))


class Contributions:
    """Collects the gradient of each group of backward passes, at some of the entries that the reader keeps.

    Args:
        reader: says which entries of which parameters are kept.
        parameters: by the names that the reader knows; a missing one contributes nothing.
        on_gradient: called with the parameter's position at each gradient; returns whether that is the first of a
            new group.
        limit: how many of the reader's entries; None for all.
    """

    def __init__(
        self,
        reader: GradientReader,
        parameters: Mapping[str, torch.nn.Parameter],
        on_gradient: Callable[[int], bool],
        limit: int | None = ENTRIES,
    ) -> None:
        sizes = reader.coordinates.sizes
        shares = list(sizes) if limit is None or sum(sizes) <= limit else share_out(sizes, limit)
        self._on_gradient = on_gradient
        self._open: dict[int, torch.Tensor] = {}
        self._groups: list[npt.NDArray[np.floating[Any]]] = []
        self._handles = []
        self._chosen: list[torch.Tensor | None] = []
        self._shares = shares
        entries = []
        random = np.random.default_rng(0)
        for position, (name, start, size, share) in enumerate(
            zip(reader.coordinates.names, reader.coordinates.starts, sizes, shares, strict=True)
        ):
            among = np.arange(size) if share == size else np.sort(random.choice(size, share, replace=False))
            entries.append(start + among)
            kept = reader.picks[position]
            if share == size:  # all that the reader keeps: no index is needed where that is the whole gradient
                self._chosen.append(kept)
            else:
                self._chosen.append(torch.from_numpy(among) if kept is None else kept[torch.from_numpy(among)])
            parameter = parameters.get(name)
            if parameter is not None and parameter.requires_grad:
                self._handles.append(parameter.register_hook(self._hook(position)))  # type: ignore[no-untyped-call]
        self.entries: npt.NDArray[np.int64] = np.concatenate(entries) if entries else np.zeros(0, dtype=np.int64)
        """Which of the reader's coordinates are kept here, ``[entries]``."""

    def entries_of(self, positions: Collection[int]) -> npt.NDArray[np.bool_]:
        """Which of the entries that are kept belong to the parameters at these positions, ``[entries]``."""
        return np.repeat([position in positions for position in range(len(self._shares))], self._shares)

    def stop(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _close_group(self) -> None:
        """End the current group with the gradients so far."""
        if not self._open:
            return
        parts = [
            np.zeros(share, dtype=np.float32) if (part := self._open.get(position)) is None else part.cpu().numpy()
            for position, share in enumerate(self._shares)
        ]
        self._groups.append(np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32))
        self._open = {}

    def drop(self, groups: int) -> None:
        """Forget this many groups at the end."""
        self._close_group()
        if groups:
            del self._groups[-groups:]

    def take(self, ignored: Sequence[Collection[int]]) -> npt.NDArray[np.floating[Any]]:
        """The next groups since the last call, ``[groups, entries]``.

        Args:
            ignored: for each group the positions of parameters to which it adds nothing, even if a gradient came.
        """
        self._close_group()
        taken, self._groups = self._groups[: len(ignored)], self._groups[len(ignored) :]
        for group, positions in zip(taken, ignored, strict=False):
            if positions:
                group[self.entries_of(positions)] = 0
        return np.stack(taken) if taken else np.zeros((0, len(self.entries)), dtype=np.float32)

    def _hook(self, position: int) -> Callable[[torch.Tensor | None], None]:
        chosen = self._chosen[position]

        def received(gradient: torch.Tensor | None) -> None:
            if gradient is None:  # a part of the graph that was not differentiated
                return
            if self._on_gradient(position):
                self._close_group()
            flat = flat_of(gradient)
            part = flat if chosen is None else flat.index_select(0, chosen.to(flat.device))
            wanted = torch.float64 if flat.dtype == torch.float64 else torch.float32
            before = self._open.get(position)
            if before is not None:
                self._open[position] = before + part.to(wanted)
            else:  # the gradient itself may be changed later; what an index took from it is a copy already
                self._open[position] = part.to(wanted, copy=chosen is None)

        return received
