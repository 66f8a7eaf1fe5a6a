"""Random numbers that a training loop draws for its micro-batch, such as a diffusion model's noise and time steps.

Drawn for a whole micro-batch they make another row of the same item under every split. Between the moment in which a
data loader hands out a batch and that in which it is asked for the next one, torch's random functions are therefore
answered as those of collators are: what has one entry a row is drawn row by row, from the content of the row that was
handed out (`accumcheck.capture.collators`). Draws from a generator of the program's own, and all others, are left as
they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader

from accumcheck.capture.collators import RowwiseDraws
from accumcheck.capture.patches import Patches, Seam
from accumcheck.errors import AccumcheckError
from accumcheck.rows.fed import rows_in
from accumcheck.rows.identity import number_of

FUNCTIONS = ("rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "bernoulli", "normal")
"""Of torch: those with which loops draw for their rows."""


class LoopDraws:
    """Answers a loop's random functions for the rows of the batch that it holds.

    Args:
        patches: undoes it.
        drew: called the first time that a function is answered, with its name.
    """

    def __init__(self, patches: Patches, drew: Callable[[str], None] = lambda _: None) -> None:
        self._drew = drew
        self._patches = patches
        self._batch: Any = None
        self._seeds: list[int] | None = None
        self._calls = 0
        self._classes: set[type] = set()
        for name in FUNCTIONS:
            patches.assign(torch, name, self._answering(getattr(torch, name), name))
        patches.wrap(Seam.BATCHES, DataLoader, self._handing_out)

    def watch(self, loader: Any) -> None:
        """Watch what a loader of a class with an iteration of its own hands out, as accelerate's, which fetch ahead."""
        for kind in type(loader).__mro__:
            if kind is not DataLoader and "__iter__" in vars(kind) and issubclass(kind, DataLoader):
                if kind not in self._classes:
                    self._classes.add(kind)
                    self._patches.wrap(Seam.BATCHES, kind, self._handing_out)
                return

    def _handing_out(self, original: Any) -> Any:
        @functools.wraps(original)
        def iterate(loader: Any) -> Any:
            self.hold(None)  # the loader's own processes may begin here
            return _Batches(original(loader), self.hold)

        return iterate

    def hold(self, batch: Any) -> None:
        """The loop holds this batch from now on; None: it holds none."""
        self._batch, self._seeds, self._calls = batch, None, 0

    def _answering(self, original: Any, name: str) -> Any:
        @functools.wraps(original)
        def draw(*args: Any, **kwargs: Any) -> Any:
            seeds = self._seeds_now() if kwargs.get("generator") is None and self._batch is not None else []
            if not seeds:
                return original(*args, **kwargs)
            mode = RowwiseDraws.of(seeds, self._calls)
            with mode:
                found = original(*args, **kwargs)
            if mode.answered:
                self._calls += 1
                self._drew(f"torch.{name} in the loop")
            return found

        return draw

    def _seeds_now(self) -> list[int]:
        """One for each row of the batch; none where its rows cannot be told."""
        if self._seeds is None:
            batch, self._batch = self._batch, None  # what is drawn meanwhile is not the loop's
            try:
                self._seeds = [number_of(row) for row in rows_in(_named(batch))]
            except AccumcheckError:
                self._seeds = []
            self._batch = batch
        return self._seeds


class _Batches:
    """An iterator over a loader's batches that says which one is out."""

    def __init__(self, batches: Iterator[Any], hold: Callable[[Any], None]) -> None:
        self._batches = batches
        self._hold = hold

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> Any:
        self._hold(None)
        batch = next(self._batches)
        self._hold(batch)
        return batch

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batches, name)


def _named(batch: Any) -> Mapping[str, Any]:
    if isinstance(batch, Mapping):
        return batch
    return {f"input_{at}": one for at, one in enumerate(batch if isinstance(batch, (list, tuple)) else [batch])}
