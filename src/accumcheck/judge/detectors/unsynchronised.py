"""Processes that apply different gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.compare import process_spread
from accumcheck.judge.rules.words import advice, consequence
from accumcheck.record import Finding
from accumcheck.record.rule import Rule

UNSYNCHRONISED = Rule("unsynchronised")


def unsynchronised(seen: Evidence) -> Iterator[Detected]:
    """Gradients of one step that differ between processes in any bit; what is not a number is left to the verdict."""
    spread = {one.split: max(map(process_spread, one.steps), default=0.0, key=_or_zero) for one in seen.good}
    differing = {split: most for split, most in spread.items() if _or_zero(most) > 0}
    if differing:
        finding = unsynchronised_finding(list(map(str, differing)), max(differing.values()))
        yield Detected(finding, dict.fromkeys(differing, UNSYNCHRONISED))


def unsynchronised_finding(splits: Sequence[str], spread: float) -> Finding:
    """Splits whose processes apply different gradients."""
    return Finding(
        id="unsynchronised",
        severity="fail",
        splits=tuple(splits),
        gradient_rule=str(UNSYNCHRONISED),
        summary=f"processes apply different gradients: they differ by up to {spread:.2g} of the norm",
        explanation="The gradients were not reduced across processes: the copies of the model drift apart.",
        consequence=consequence(None, UNSYNCHRONISED),
        advice=advice(None, UNSYNCHRONISED),
    )


def _or_zero(spread: float) -> float:
    return 0.0 if math.isnan(spread) else spread
