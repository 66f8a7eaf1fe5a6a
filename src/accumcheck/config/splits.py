"""Which splits ``auto`` compares, and which one is the control."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING

from accumcheck.record import Split

if TYPE_CHECKING:
    from collections.abc import Sequence


def auto_splits(global_batch_size: int, devices: int) -> tuple[Split, ...]:
    """Splits that distinguish the weighting rules on the available devices: at most six, the control first.

    On one device: no accumulation, some, and only accumulation. On the largest power of two of devices that divides the
    batch: no accumulation (tokens counted across devices), and only accumulation. On two devices: some of both.

    Args:
        global_batch_size: samples of one optimizer step, B; each split is an exact factorisation ``n * b * k = B``.
        devices: number of devices.

    Raises:
        ValueError: an argument is not positive.
    """
    if global_batch_size < 1 or devices < 1:
        raise ValueError(f"global_batch_size and devices must be positive, not {global_batch_size} and {devices}")
    most = 1
    while most * 2 <= devices and global_batch_size % (most * 2) == 0:
        most *= 2
    wanted = [_no_accumulation(global_batch_size, 1), _middle(global_batch_size, 1), Split(1, 1, global_batch_size)]
    if most > 1:
        per_device = global_batch_size // most
        wanted += [_no_accumulation(global_batch_size, most), Split(most, 1, per_device), _middle(global_batch_size, 2)]
    return tuple(dict.fromkeys(wanted))


def _no_accumulation(global_batch_size: int, n: int) -> Split:
    return Split(n, global_batch_size // n, 1)


def _middle(global_batch_size: int, n: int) -> Split:
    """The split over ``n`` processes whose ``b`` and ``k`` are nearest to each other, neither of them 1 if possible."""
    share = global_batch_size // n
    small = [b for b in range(1, isqrt(share) + 1) if share % b == 0]
    divisors = sorted({*small, *(share // b for b in small)})
    b = min(divisors[1:-1] or divisors, key=lambda b: (max(Fraction(b * b, share), Fraction(share, b * b)), b))
    return Split(n, b, share // b)


def control_of(splits: Sequence[Split]) -> Split:
    """The split with the fewest accumulation steps, then the fewest processes, then the larger per-device batch.

    Raises:
        ValueError: there are no splits.
    """
    return min(
        splits,
        key=lambda split: (
            split.gradient_accumulation_steps,
            split.num_processes,
            -split.per_device_train_batch_size,
        ),
    )
