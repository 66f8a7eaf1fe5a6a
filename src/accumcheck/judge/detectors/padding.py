"""Samples that a data loader repeats to fill micro-batches."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding


def padded_epochs(seen: Evidence) -> Iterator[Detected]:
    """The last micro-batches of an epoch are filled with samples that were already trained on: a warning."""
    padded = {
        one.split: max(seen.windows[one.split].padding.values())
        for one in seen.good
        if one.split in seen.windows and seen.windows[one.split].padding
    }
    if padded:
        yield Detected(
            Finding(
                id="padded-samples",
                severity="warn",
                splits=tuple(map(str, padded)),
                summary=(
                    f"the data loader repeats up to {max(padded.values())} samples to fill the last micro-batches of "
                    "an epoch"
                ),
                explanation=(
                    "To give processes micro-batches of equal size, samples from the start of the epoch are repeated "
                    "(accelerate's even_batches, torch's DistributedSampler), which trains on them twice in that epoch."
                ),
                advice="Train on a number of samples that is a multiple of n x b, or with dataloader_drop_last.",
            )
        )
