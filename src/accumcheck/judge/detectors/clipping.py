"""A gradient that is clipped while it is still being accumulated."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Clipped, Finding, Split
from accumcheck.record.rule import UNEXPLAINED


def clipped_per_microbatch(seen: Evidence) -> Iterator[Detected]:
    """Splits that clip after a micro-batch that is not the last of its window."""
    found: dict[Split, Clipped] = {}
    for split in seen.good:
        within = [step.clipped_within for step in split.steps if step.clipped_within is not None]
        if within:
            found[split.split] = min(within, key=lambda clip: clip.coefficient)
    if not found:
        return
    strongest = min(found.values(), key=lambda clip: clip.coefficient)
    cut = strongest.coefficient < 1
    yield Detected(
        Finding(
            id="clip-per-microbatch",
            severity="fail" if cut else "warn",
            splits=tuple(map(str, found)),
            gradient_rule=str(UNEXPLAINED) if cut else None,
            summary=(
                f"the gradient is clipped after every micro-batch, while it is still being accumulated "
                f"({strongest.place}); here by a factor of down to {strongest.coefficient:.2g}"
            ),
            explanation="Clipping belongs between the last backward pass of a step and the optimizer: earlier clipping "
            "changes how much each micro-batch counts.",
            consequence="The update depends on the split: the first micro-batches of a step count less than the last.",
            advice="Clip once per step, after the last micro-batch (accelerate: where sync_gradients is true).",
        ),
        condemned=dict.fromkeys(found, UNEXPLAINED) if cut else {},
    )
