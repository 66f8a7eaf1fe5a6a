"""Loops that step after a different number of micro-batches than requested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split, SplitObservation
from accumcheck.record.rule import UNEXPLAINED

_SHOWN = 3
"""Number of splits, and of steps of each, that are named."""


def other_step_counts(seen: Evidence) -> Iterator[Detected]:
    """Programs that feed micro-batches of the right size, but step after each one, or after varying numbers.

    A short last step at the end of the data is not such a fault.
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
            continue  # the other micro-batches of each window are not trained on at all
        if set(counts) == {1}:
            each[split.split] = f"{split.split} asks for {due}"
        else:
            varying[split.split] = f"{split.split}: {_words(counts, due)}"
    if each:
        yield Detected(_after_each(each), dict.fromkeys(each, UNEXPLAINED))
    if varying:
        yield Detected(_after_others(varying), dict.fromkeys(varying, UNEXPLAINED))


def _counts(split: SplitObservation) -> Sequence[int]:
    """The micro-batches of each step in each process; empty if they do not have the requested size."""
    counts = []
    for step in split.steps:
        windows = Counter(batch.process for batch in step.micro_batches)
        sizes = {len(batch.samples) for batch in step.micro_batches}
        if len(set(windows.values())) != 1 or sizes != {split.split.per_device_train_batch_size}:
            return ()
        counts.append(next(iter(windows.values())))
    return counts


def _goes_on(seen: Evidence, split: Split) -> bool:
    """Whether the second step is fed rows that are not in the control's second, such as later ones of its first.

    If there is only one, whether it may have ended early: a single process is then fed the first rows of the control's.
    """
    steps = seen.fed[split].steps if split in seen.fed else ()
    if len(seen.records.get(split, ())) >= 2:
        return any(step.step == 2 and bool(step.elsewhere or step.unknown) for step in steps)
    return split.num_processes > 1 or all(min(step.missing, default=step.fed) >= step.fed for step in steps)


def _words(counts: Sequence[int], due: int) -> str:
    steps = ", ".join(f"step {at} after {count}" for at, count in list(enumerate(counts, start=1))[:_SHOWN])
    return f"{steps}; {due} were requested"


def _after_each(splits: dict[Split, str]) -> Finding:
    return Finding(
        id="step-per-microbatch",
        severity="fail",
        splits=tuple(map(str, splits)),
        gradient_rule=str(UNEXPLAINED),
        summary=f"the optimizer steps after every micro-batch; {_listed(splits)}",
        explanation="Gradients are not accumulated: each step sees only a part of the global batch.",
        consequence="The update is that of a smaller batch, and there are more updates.",
        advice="Step once every gradient_accumulation_steps micro-batches.",
    )


def _after_others(splits: dict[Split, str]) -> Finding:
    return Finding(
        id="step-at-wrong-microbatch",
        severity="fail",
        splits=tuple(map(str, splits)),
        gradient_rule=str(UNEXPLAINED),
        summary=f"the optimizer does not step after the requested number of micro-batches; {_listed(splits)}",
        explanation="A counter from 0 is a multiple of k at the first micro-batch, before anything was accumulated.",
        consequence="Steps see different samples than under the control, and the first step a smaller batch.",
        advice="Step when (micro-batch + 1) % gradient_accumulation_steps == 0, counting from 0.",
    )


def _listed(splits: dict[Split, str]) -> str:
    more = len(splits) - _SHOWN
    return "; ".join(list(splits.values())[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
