"""Whole epochs instead of a number of steps: the number of samples and the resulting steps."""

from __future__ import annotations

import math
from collections.abc import Iterable

from accumcheck.record import Split


def steps_of(epochs: int, samples: int, global_batch_size: int) -> int:
    """Optimizer steps of all epochs; the last step of each takes the remaining samples."""
    return epochs * math.ceil(samples / global_batch_size)


def samples_of_epoch(global_batch_size: int, splits: Iterable[Split] | None) -> int:
    """A number of samples that shows the end of an epoch: a global batch, and about three quarters of another.

    If possible, the remainder is a multiple of every ``n * b``, so that no data loader has to fill a micro-batch.

    Args:
        global_batch_size: B.
        splits: None for ``auto``.
    """
    batch = global_batch_size
    chunks = [split.replicas * split.per_device_train_batch_size for split in splits or ()]
    chunks = [chunk for chunk in chunks if chunk < batch]
    best = 3 * batch // 4
    # which chunks divide the remainder depends only on its common divisor with the batch, since all divide the batch
    left = {best, *(near for d in _divisors(batch) for near in (best // d * d, best // d * d + d))}

    def unfit(left: int) -> tuple[int, float, int]:
        return sum(left % chunk != 0 for chunk in chunks), abs(left - 0.75 * batch), left

    return batch + min((one for one in left if 0 < one < batch), key=unfit, default=1)


def _divisors(number: int) -> set[int]:
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return {*small, *(number // d for d in small)}
