"""The reference could not be computed, so accuracy is undecided."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.record import Finding


def no_reference(judged: Judged) -> Iterator[Detected]:
    """Report why, if some split ran."""
    if judged.seen.reference is not None or not judged.seen.good:
        return
    reason = judged.seen.no_reference or "its process left no result"
    yield Detected(
        Finding(
            id="no-reference",
            severity="error",
            splits=(),
            summary=f"the reference could not be computed: {reason}",
            explanation="Splits were only compared with each other; a fault that all of them share would not show.",
            advice="Fix this cause and run the check again: without a reference nothing passes.",
        )
    )
