"""Splits that are fed other samples than the control in the same step."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding


def other_batches_fed(seen: Evidence) -> Iterator[Detected]:
    """Whole global batches in a different order from the control's: a warning."""
    splits = [one.split for one in seen.good if one.split in seen.windows and seen.windows[one.split].others]
    if splits:
        yield Detected(
            Finding(
                id="samples-differ",
                severity="warn",
                splits=tuple(map(str, splits)),
                summary="not fed the control's samples in the same step: compared with the reference only",
                explanation=(
                    "The order of the samples depends on the split: on the number of processes, on the micro-batch "
                    "size, or on a seed that is not fixed. Each step was compared with what its own samples should "
                    "give."
                ),
            )
        )
