"""The same measurement of several splits or steps, on as many cores as there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from accumcheck.config.devices import cores

Item = TypeVar("Item")
Found = TypeVar("Found")


def each(function: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """``[function(item) for item in items]`` in threads: numpy computes without Python's lock.

    Args:
        function: reads what all share, and changes nothing of it.
        items: in the order of the results.

    Raises:
        Exception: whatever the function raises for the first item with which it does.
    """
    every = list(items)

    def quietly(item: Item) -> Found:
        with np.errstate(all="ignore"):  # as the judge is called: threads do not have what their maker has set
            return function(item)

    with ThreadPoolExecutor(max(1, min(len(every), cores()))) as pool:
        return list(pool.map(quietly, every))
