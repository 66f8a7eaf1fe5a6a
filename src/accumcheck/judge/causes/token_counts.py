"""The token counts that a stack passed its model, compared with the reference's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.judge.rules.bases import BASE_ROWS, SHARES, Base
from accumcheck.record import ReferenceObservation, SplitObservation, StepObservation


@dataclass(frozen=True, slots=True)
class Passed:
    """The counts passed.

    ``base``: the base that they give, None if it is not a known count; ``words``: the numbers of one step.
    """

    base: Base | None
    words: str


def passed_counts(splits: Sequence[SplitObservation], reference: ReferenceObservation) -> Passed:
    """Which count was passed in every step of these splits, and the numbers of the step that shows it best.

    Args:
        splits: with a token count for each micro-batch.
        reference: has the predicted tokens, and the labels before the shift, of each sample.
    """
    steps = [(split, step, counts_of(step, reference)) for split in splits for step in split.steps]
    bases = [BASE_ROWS[name] for name in SHARES]
    base = next((base for base in bases if all(_is(base, step, right) for _, step, right in steps)), None)
    by_process = base is not None and base.by_process
    split, step, right = max(steps, key=lambda one: (one[0].split.replicas if by_process else 0, -one[1].step))
    return Passed(base, _words(base, str(split.split), step, right))


@dataclass(frozen=True, slots=True)
class StepCounts:
    """Predicted tokens and labels of each process in one step, ``[processes]``."""

    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def count(self, base: Base, process: int) -> int:
        """The count that this process would be passed under ``base``."""
        counts = self.labels if base.of_labels else self.tokens
        return int(counts[process] if base.by_process else counts.sum())


def counts_of(step: StepObservation, reference: ReferenceObservation) -> StepCounts:
    """The counts of the samples that a step was fed."""
    processes = 1 + max(batch.process for batch in step.micro_batches)
    tokens, labels = np.zeros(processes, dtype=np.int64), np.zeros(processes, dtype=np.int64)
    for batch in step.micro_batches:
        known = [sample for sample in batch.samples if sample >= 0]
        tokens[batch.process] += reference.tokens[known].sum()
        labels[batch.process] += reference.labels[known].sum()
    return StepCounts(tokens, labels)


def _passed(step: StepObservation) -> Iterator[tuple[int, float]]:
    for batch in step.micro_batches:
        if batch.token_count is not None:
            yield batch.process, batch.token_count


def _is(base: Base, step: StepObservation, right: StepCounts) -> bool:
    return all(count == right.count(base, process) for process, count in _passed(step))


def _words(base: Base | None, split: str, step: StepObservation, right: StepCounts) -> str:
    """``48 and 69 as the token count in step 1 of 2x2x2: ...``."""
    passed = dict(_passed(step))
    numbers = [f"{passed[process]:g}" for process in sorted(passed)]
    by_process = base is not None and base.by_process
    shown = numbers if by_process else list(dict.fromkeys(numbers))
    told = f"{_listed(shown)} as the token count in step {step.step} of {split}"
    tokens, labels = int(right.tokens.sum()), int(right.labels.sum())
    if base is None or not (base.of_labels or base.by_process):
        return f"{told}; the global batch has {tokens} predicted tokens"
    if not base.by_process:
        return f"{told}: the labels before the causal shift, of which {tokens} are predicted"
    if not base.of_labels:
        return f"{told}: each process its own count; the global batch has {tokens}"
    return (
        f"{told}: each process its own labels before the causal shift; the global batch has {labels}, "
        f"of which {tokens} are predicted"
    )


def _listed(numbers: Sequence[str]) -> str:
    if len(numbers) > 4:
        return f"{', '.join(numbers[:3])} ... {numbers[-1]}"
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)
