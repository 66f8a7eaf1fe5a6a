"""Gradients of earlier steps that are left in a later one."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.causes.leaks import leaks_in
from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split
from accumcheck.record.rule import UNEXPLAINED


def leaked_gradients(seen: Evidence) -> Iterator[Detected]:
    """Steps that only the samples of earlier steps explain, in splits without another fault."""
    if seen.reference is None:
        return
    leaks = {
        one.split: found
        for one in seen.good
        if one.split not in seen.condemned
        if (found := leaks_in(one, seen.recovered, seen.reference, seen.tolerances.gradient))
    }
    if leaks:
        yield Detected(leak_finding(leaks), dict.fromkeys(leaks, UNEXPLAINED))


def leak_finding(leaks: dict[Split, dict[int, int]]) -> Finding:
    """Splits with leftover gradients of earlier samples; ``leaks``: by split, how many samples in which step."""
    samples = max(count for steps in leaks.values() for count in steps.values())
    steps = sorted({step for found in leaks.values() for step in found})
    where = ", ".join(map(str, steps))
    return Finding(
        id="leaked-samples",
        severity="fail",
        splits=tuple(map(str, leaks)),
        summary=(
            f"the gradient of step{'s' * (len(steps) > 1)} {where} contains gradients of earlier steps: "
            f"{samples} sample{'s' * (samples > 1)}"
        ),
        explanation=(
            "Gradients were not set to zero between two optimizer steps, or were left over from micro-batches that no "
            "step applied."
        ),
        consequence="Samples are trained on a second time, in an update that they do not belong to.",
        advice=("Set gradients to zero after every optimizer step, and at the end of an epoch apply or drop the rest."),
    )
