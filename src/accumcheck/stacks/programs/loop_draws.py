"""Random numbers that a training loop draws for its micro-batch, such as a diffusion model's noise and time steps.

If they are drawn for a whole micro-batch, the same sample gets other numbers under every split. From the moment a data
loader yields a batch until it is asked for the next one, torch's random functions are therefore replaced, as those of
collators are (`accumcheck.capture.collators`). If a result has one entry per row, each entry is drawn with a seed from
the content of its row. All other draws, and those from the program's own generator, are left as they are.
"""

from __future__ import annotations

import functools
import importlib
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
"""torch's random functions that training loops use for their rows."""


class LoopDraws:
    """Replaces a loop's random functions while it works on a batch.

    Args:
        patches: undo the replacement.
        drew: called with the name of a function the first time that one of its draws is replaced.
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
        for kind in _loaders_of_accelerate():
            self._watch(kind)

    def watch(self, loader: Any) -> None:
        """Watch the batches of a loader whose class iterates in its own way, and may read a batch ahead."""
        for kind in type(loader).__mro__:
            if kind is not DataLoader and "__iter__" in vars(kind) and issubclass(kind, DataLoader):
                self._watch(kind)
                return

    def _watch(self, kind: type) -> None:
        if kind not in self._classes:
            self._classes.add(kind)
            self._patches.wrap(Seam.BATCHES, kind, self._handing_out)

    def _handing_out(self, original: Any) -> Any:
        @functools.wraps(original)
        def iterate(loader: Any) -> Any:
            self.hold(None)  # the loader may start its worker processes here
            return _Batches(original(loader), self.hold)

        return iterate

    def hold(self, batch: Any) -> None:
        """Set the batch that the loop works on from now on; None: no batch."""
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
        """One seed for each row of the batch; empty if the rows are not known."""
        if self._seeds is None:
            batch, self._batch = self._batch, None  # draws made meanwhile do not belong to the loop
            try:
                self._seeds = [number_of(row) for row in rows_in(_named(batch))]
            except AccumcheckError:
                self._seeds = []
            self._batch = batch
        return self._seeds


def _loaders_of_accelerate() -> list[type]:
    """The classes of ``Accelerator.prepare``'s loaders: they read a batch ahead, and are made around a loader."""
    try:
        module = importlib.import_module("accelerate.data_loader")
    except ImportError:
        return []
    found = [getattr(module, name, None) for name in ("DataLoaderShard", "DataLoaderDispatcher")]
    return [kind for kind in found if isinstance(kind, type) and "__iter__" in vars(kind)]


class _Batches:
    """An iterator over a loader's batches that reports which batch was yielded last."""

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
