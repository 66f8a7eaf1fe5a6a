"""The number of optimizer steps that the same data are trained in."""

from __future__ import annotations

from collections.abc import Iterator

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split


def other_step_totals(seen: Evidence) -> Iterator[Detected]:
    """Splits that end of themselves after another number of optimizer steps than the control."""
    control = next((one for one in seen.good if one.split == seen.control), None)
    if control is None:
        return
    due = len(control.steps)
    made: dict[Split, int] = {one.split: len(one.steps) for one in seen.good if len(one.steps) != due}
    if not made:
        return
    split, count = next(iter(made.items()))
    yield Detected(
        Finding(
            id="steps-differ",
            severity="fail",
            splits=tuple(map(str, made)),
            summary=f"{split} makes {_steps(count)} of the data that the control {control.split} trains in {due}",
            explanation="The number of optimizer steps depends on the split: they are counted in micro-batches, or for "
            "each process, or what is left at the end of the data is dropped.",
            consequence="The model is trained for longer or shorter, and the learning-rate schedule ends elsewhere.",
            advice="Count optimizer steps: the rows of an epoch divided by the global batch, rounded up.",
        ),
        failed=frozenset(made),
    )


def _steps(count: int) -> str:
    return f"{count} optimizer step{'s' * (count != 1)}"
