"""Evidence of runs made by hand, for one detector at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence, gather
from accumcheck.record import ReferenceObservation, Split, SplitObservation, StepObservation
from tests.judge.runs import SPLITS, check, observe, reference, right

CONTROL = Split.parse("1x8x1")


def evidence(
    observations: Sequence[SplitObservation] = (), truth: ReferenceObservation | None = None, **changes: object
) -> Evidence:
    """Of a run that is right but for these splits; ``changes``: of the configuration."""
    given = {one.split: one for one in observations}
    runs = [given.get(Split.parse(text)) or observe(Split.parse(text), right) for text in SPLITS]
    return gather(check(SPLITS, **changes), runs, CONTROL, truth or reference())


def changed(text: str, change: Callable[[StepObservation], StepObservation]) -> SplitObservation:
    """A right split with its first step changed."""
    run = observe(Split.parse(text), right)
    return replace(run, steps=(change(run.steps[0]), *run.steps[1:]))


def found_by(detected: Iterable[Detected]) -> list[tuple[str, str, tuple[str, ...], dict[str, str]]]:
    """Of each finding its id, severity and splits, and the splits that it condemns."""
    return [
        (
            one.finding.id,
            str(one.finding.severity),
            one.finding.splits,
            {str(split): str(rule) for split, rule in one.condemned.items()},
        )
        for one in detected
    ]
