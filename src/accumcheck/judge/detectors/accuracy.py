"""Reports that there is no independent loss and splits were only compared with each other."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected, Judged
from accumcheck.record import Finding


def accuracy_not_judged(judged: Judged) -> Iterator[Detected]:
    """Report why accuracy was not judged, if a program's own rows replace the reference."""
    reference = judged.seen.reference
    if reference is None or not reference.not_judged:
        return
    yield Detected(
        Finding(
            id="accuracy-not-judged",
            severity="warn",
            splits=(),
            summary=f"accuracy not judged: {reference.not_judged}",
            explanation=(
                "Splits were compared with the control, and with the program's own gradients of single rows; a "
                "fault that the control shares would not show."
            ),
            advice="Let the model, or the Trainer's compute_loss, return the loss that is trained.",
        )
    )
