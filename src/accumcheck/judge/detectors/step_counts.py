"""Loops that step after another number of micro-batches than they were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split, SplitObservation
from accumcheck.record.rule import UNEXPLAINED

_SHOWN = 3
"""Splits, and steps of each, that are named."""


def other_step_counts(seen: Evidence) -> Iterator[Detected]:
    """Programs that feed micro-batches of the right size, and step after one of them each or after a varying number.

    A last step that is short where the data ends is no such fault.
    """
    each: dict[Split, str] = {}
    varying: dict[Split, str] = {}
    for split in seen.good:
        counts = _counts(split) if seen.check.runs_program and split.split not in seen.windows else ()
        due = split.split.gradient_accumulation_steps
        wrong = [at for at, count in enumerate(counts) if count != due]
        if not wrong or wrong == [len(counts) - 1] != [0]:
            continue
        if not _goes_on(seen, split.split):
            continue  # the others of each window are not trained at all
        if set(counts) == {1}:
            each[split.split] = f"{split.split} asks for {due}"
        else:
            varying[split.split] = f"{split.split}: {_words(counts, due)}"
    if each:
        yield Detected(_after_each(each), dict.fromkeys(each, UNEXPLAINED))
    if varying:
        yield Detected(_after_others(varying), dict.fromkeys(varying, UNEXPLAINED))


def _counts(split: SplitObservation) -> Sequence[int]:
    """The micro-batches of each step in each process; nothing where they are not of the size that was asked for."""
    counts = []
    for step in split.steps:
        windows = Counter(batch.process for batch in step.micro_batches)
        sizes = {len(batch.samples) for batch in step.micro_batches}
        if len(set(windows.values())) != 1 or sizes != {split.split.per_device_train_batch_size}:
            return ()
        counts.append(next(iter(windows.values())))
    return counts


def _goes_on(seen: Evidence, split: Split) -> bool:
    """Whether the second step is fed other rows than the control's second, such as the next ones of the first."""
    steps = seen.fed[split].steps if split in seen.fed else ()
    return len(seen.records.get(split, ())) < 2 or any(
        step.step == 2 and bool(step.elsewhere or step.unknown) for step in steps
    )


def _words(counts: Sequence[int], due: int) -> str:
    steps = ", ".join(f"step {at} after {count}" for at, count in list(enumerate(counts, start=1))[:_SHOWN])
    return f"{steps}, where {due} were asked for"


def _after_each(splits: dict[Split, str]) -> Finding:
    return Finding(
        id="step-per-microbatch",
        severity="fail",
        splits=tuple(map(str, splits)),
        gradient_rule=str(UNEXPLAINED),
        summary=f"the optimizer steps after every micro-batch; {_listed(splits)}",
        explanation="Gradients are not accumulated: each step sees a part of the global batch.",
        consequence="The update is that of a smaller batch, and there are more updates.",
        advice="Step once every gradient_accumulation_steps micro-batches.",
    )


def _after_others(splits: dict[Split, str]) -> Finding:
    return Finding(
        id="step-at-wrong-microbatch",
        severity="fail",
        splits=tuple(map(str, splits)),
        gradient_rule=str(UNEXPLAINED),
        summary=f"the optimizer steps after other numbers of micro-batches than it was asked to; {_listed(splits)}",
        explanation="A count of micro-batches from 0 is a multiple of k at the first, before anything was accumulated.",
        consequence="Steps see other samples than under the control, and the first one a smaller batch.",
        advice="Step where (micro-batch + 1) % gradient_accumulation_steps == 0, counting from 0.",
    )


def _listed(splits: dict[Split, str]) -> str:
    more = len(splits) - _SHOWN
    return "; ".join(list(splits.values())[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
