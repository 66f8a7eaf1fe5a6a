"""Processes that apply different gradients."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from accumcheck.judge.detectors.clipping_by_process import clips_by_process
from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.detectors.parameters import listed
from accumcheck.judge.evidence import Evidence
from accumcheck.judge.measure.compare import process_spread
from accumcheck.judge.measure.errors import norms_by_parameter
from accumcheck.judge.rules.words import advice, consequence
from accumcheck.record import Finding, SplitObservation
from accumcheck.record.rule import Rule

UNSYNCHRONISED = Rule("unsynchronised")


def unsynchronised(seen: Evidence) -> Iterator[Detected]:
    """Gradients of one step that differ between processes in any bit; NaN is left to the verdict.

    Where only the processes' own clipping differs, that is another finding.
    """
    spread = {
        one.split: max(map(process_spread, one.steps), default=0.0, key=_or_zero)
        for one in seen.good
        if not clips_by_process(one.steps)
    }
    differing = {split: most for split, most in spread.items() if _or_zero(most) > 0}
    if differing:
        names = _only_in([one for one in seen.good if one.split in differing])
        finding = unsynchronised_finding(list(map(str, differing)), max(differing.values()), names)
        yield Detected(finding, dict.fromkeys(differing, UNSYNCHRONISED))


def unsynchronised_finding(splits: Sequence[str], spread: float, names: Sequence[str] = ()) -> Finding:
    """Splits whose processes apply different gradients; ``names``: of the parameters, if not all of them."""
    where = f", only in {listed(names)}" if names else ""
    return Finding(
        id="unsynchronised",
        severity="fail",
        splits=tuple(splits),
        gradient_rule=str(UNSYNCHRONISED),
        summary=f"processes apply different gradients: they differ by up to {spread:.2g} of the norm{where}",
        explanation="The gradients were not reduced across processes: the copies of the model drift apart.",
        consequence=consequence(None, UNSYNCHRONISED),
        advice=advice(None, UNSYNCHRONISED),
    )


def _only_in(splits: Sequence[SplitObservation]) -> list[str]:
    """The parameters in which processes differ; empty if these are all parameters with a gradient."""
    found: dict[str, None] = {}
    for split in splits:
        places = split.trained.coordinates if split.trained is not None else None
        for step in split.steps:
            first = step.gradients[0]
            if places is None or sum(places.sizes) != len(first):
                return []
            off = np.zeros(len(first), dtype=bool)
            for other in step.gradients.values():
                off |= (other != first) & ~(np.isnan(other) & np.isnan(first))
            any_of = norms_by_parameter(first, places) > 0
            differing = norms_by_parameter(off.astype(np.float64), places) > 0
            if bool((differing | ~any_of).all()):
                return []
            found |= {name: None for name, differs in zip(places.names, differing, strict=True) if differs}
    return list(found)


def _or_zero(spread: float) -> float:
    return 0.0 if math.isnan(spread) else spread
