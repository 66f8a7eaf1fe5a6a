"""Processes of one split that do not train copies of one model."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.detectors.parameters import listed
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding
from accumcheck.record.rule import UNEXPLAINED


def other_weights(seen: Evidence) -> Iterator[Detected]:
    """Splits whose processes have different weights when training begins."""
    found = {one.split: one.unlike for one in seen.good if one.unlike}
    if not found:
        return
    split, names = next(iter(found.items()))
    yield Detected(
        Finding(
            id="weights-differ",
            severity="fail",
            splits=tuple(map(str, found)),
            gradient_rule=str(UNEXPLAINED),
            summary=f"the processes of {split} do not hold the same weights when training begins: {listed(names)} "
            f"differ{'s' * (len(names) == 1)}",
            explanation="Each process computes gradients at its own weights, and applies their average to these, so "
            "the copies of the model never agree.",
            consequence="Several different models are trained, and only that of one process is usually saved.",
            advice="Draw the weights from the same seed in every process, or send those of process 0 to the others, as "
            "DistributedDataParallel does.",
        ),
        condemned=dict.fromkeys(found, UNEXPLAINED),
    )
