"""Detect optimizer steps that have other samples than they should have at the end of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split


def torn_windows(seen: Evidence) -> Iterator[Detected]:
    """One finding for each kind of fault at the end of an epoch."""
    torn: dict[str, list[Split]] = {}
    for split in seen.good:
        made = seen.windows.get(split.split)
        if made is not None and made.fault:
            torn.setdefault(made.fault, []).append(split.split)
    for fault, splits in torn.items():
        yield Detected(windows_finding(splits, fault), {split: seen.windows[split].rule for split in splits})


def windows_finding(splits: Sequence[Split], fault: str) -> Finding:
    """The finding for splits whose optimizer steps have other samples than they should have."""
    return Finding(
        id="epoch-windows",
        severity="fail",
        splits=tuple(map(str, splits)),
        summary=f"the end of an epoch is handled differently: {fault}",
        explanation=(
            "If the micro-batches of an epoch are not a multiple of k, the epoch must end with one smaller optimizer "
            "step under every split. Here samples are left out or move into other steps, so splits train on "
            "different batches."
        ),
        consequence="The number of optimizer steps, and with it the learning-rate schedule, depends on the split.",
        advice="Train on a number of samples that is a multiple of the global batch.",
    )
