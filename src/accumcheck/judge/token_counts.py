"""The token counts that a stack passed its model, beside those that the reference counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from accumcheck.record import ReferenceObservation, SplitObservation, StepObservation

BY_PROCESS = ("device-mean", "unshifted-device-mean")
"""The bases whose count is each process's own."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What was passed.

    ``base``: the rule that it makes (see `accumcheck.judge.rules`), None where it is no such count; ``words``: the
    numbers of one step.
    """

    base: str | None
    words: str

    @property
    def by_process(self) -> bool:
        """Whether each process was passed a count of its own samples."""
        return self.base in BY_PROCESS


def passed_counts(splits: Sequence[SplitObservation], reference: ReferenceObservation) -> Passed:
    """Which count was passed in every step of these splits, and the numbers of the first step that shows it best.

    Args:
        splits: with a token count for each micro-batch.
        reference: has the predicted tokens, and the labels before the shift, of each sample.
    """
    steps = [(split, step, counts_of(step, reference)) for split in splits for step in split.steps]
    bases = ("token-mean", "device-mean", "unshifted-token-mean", "unshifted-device-mean")
    base = next((base for base in bases if all(_is(base, step, right) for _, step, right in steps)), None)
    split, step, right = max(
        steps, key=lambda one: (one[0].split.num_processes if base in BY_PROCESS else 0, -one[1].step)
    )
    return Passed(base, _words(base, str(split.split), step, right))


@dataclass(frozen=True, slots=True)
class StepCounts:
    """Of one step: predicted tokens and labels of each process, ``[processes]``."""

    tokens: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def count(self, base: str, process: int) -> int:
        """What this process would be passed under ``base``."""
        counts = self.labels if base.startswith("unshifted") else self.tokens
        return int(counts[process] if base in BY_PROCESS else counts.sum())


def counts_of(step: StepObservation, reference: ReferenceObservation) -> StepCounts:
    """What the samples that a step was fed have of both."""
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


def _is(base: str, step: StepObservation, right: StepCounts) -> bool:
    return all(count == right.count(base, process) for process, count in _passed(step))


def _words(base: str | None, split: str, step: StepObservation, right: StepCounts) -> str:
    """``48 and 69 as the token count in step 1 of 2x2x2: ...``."""
    passed = dict(_passed(step))
    numbers = [f"{passed[process]:g}" for process in sorted(passed)]
    shown = numbers if base in BY_PROCESS else list(dict.fromkeys(numbers))
    told = f"{_listed(shown)} as the token count in step {step.step} of {split}"
    tokens, labels = int(right.tokens.sum()), int(right.labels.sum())
    if base == "unshifted-token-mean":
        return f"{told}: the labels before the causal shift, of which {tokens} are predicted"
    if base == "device-mean":
        return f"{told}: each process its own, where the global batch has {tokens}"
    if base == "unshifted-device-mean":
        return (
            f"{told}: each process its own labels before the causal shift, where the global batch has {labels}, "
            f"of which {tokens} are predicted"
        )
    return f"{told}, where the global batch has {tokens} predicted tokens"


def _listed(numbers: Sequence[str]) -> str:
    if len(numbers) > 4:
        return f"{', '.join(numbers[:3])} ... {numbers[-1]}"
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)
