"""Whole epochs instead of a number of steps: how many samples, and how many steps they make."""

from __future__ import annotations

import math
from collections.abc import Iterable

from accumcheck.record import Split


def steps_of(epochs: int, samples: int, global_batch_size: int) -> int:
    """Optimizer steps of all epochs; the last of each takes what is left of the samples."""
    return epochs * math.ceil(samples / global_batch_size)


def samples_of_epoch(global_batch_size: int, splits: Iterable[Split] | None) -> int:
    """A number of samples that shows the end of an epoch: a global batch, and about three quarters of another.

    Where it can be, what is left is a multiple of every ``n * b``, so that no data loader has to fill a micro-batch.

    Args:
        global_batch_size: B.
        splits: None for ``auto``.
    """
    chunks = [split.num_processes * split.per_device_train_batch_size for split in splits or ()]
    chunks = [chunk for chunk in chunks if chunk < global_batch_size]

    def unfit(left: int) -> tuple[int, float]:
        return sum(left % chunk != 0 for chunk in chunks), abs(left - 0.75 * global_batch_size)

    return global_batch_size + min(range(1, global_batch_size), key=unfit, default=1)
