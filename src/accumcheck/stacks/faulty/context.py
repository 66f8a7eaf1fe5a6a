"""The position of a micro-batch in its step, on which the size of a planted fault may depend."""

from __future__ import annotations

import math
from dataclasses import dataclass

from accumcheck.record import Split


@dataclass(frozen=True)
class MicroBatchContext:
    """The facts about one micro-batch that a fault may use.

    Attributes:
        split: the split.
        tokens: the predicted tokens of every sample, after the causal shift.
        labels: the unmasked labels of every sample, before the causal shift.
        steps: the samples of every step.
        step: the number of this step, from 1.
        process: the rank of this process.
        device: the samples that this process sees in the step.
        fed: the samples of this micro-batch.
        place: the number of this micro-batch in its window, from 1.
    """

    split: Split
    tokens: list[int]
    labels: list[int]
    steps: list[list[int]]
    step: int
    process: int
    device: list[int]
    fed: list[int]
    place: int

    def count(self, samples: list[int]) -> int:
        """Predicted tokens of these samples."""
        return sum(self.tokens[sample] for sample in samples)

    def count_labels(self, samples: list[int]) -> int:
        """Unmasked labels of these samples, before the causal shift."""
        return sum(self.labels[sample] for sample in samples)

    @property
    def k(self) -> int:
        """The accumulation steps of the split."""
        return self.split.gradient_accumulation_steps

    @property
    def n(self) -> int:
        """The number of processes of the split."""
        return self.split.num_processes

    @property
    def global_batch(self) -> list[int]:
        """The samples of this step."""
        return self.steps[self.step - 1]

    @property
    def so_far(self) -> list[int]:
        """The samples of this step and of all steps before it."""
        return [sample for step in self.steps[: self.step] for sample in step]

    @property
    def window(self) -> int:
        """The number of micro-batches of this step. The last step of an epoch can have fewer than ``k``."""
        return math.ceil(len(self.device) / self.split.per_device_train_batch_size)

    @property
    def right(self) -> float:
        """The right coefficient of the micro-batch's mean loss; its factor ``n`` undoes the mean over processes."""
        return self.count(self.fed) / self.count(self.global_batch) * self.n
