"""The fixed global batches: every sample that a check trains on, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import UnsupportedError
from accumcheck.rows.sample import Sample
from accumcheck.workload.synthetic import synthetic_samples
from accumcheck.workload.tasks.registry import task_of
from accumcheck.workload.text import text_samples

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import CheckConfig
    from accumcheck.workload.tasks.protocol import TaskSpec


def build_samples(check: CheckConfig, model: PreTrainedModel, count: int, task: TaskSpec | None = None) -> list[Sample]:
    """Make the check's first ``count`` samples, all distinct; step s trains on ``[s * B, (s + 1) * B)``.

    Args:
        check: the source of the data, and the seed of synthetic data.
        model: determines the kind of sample, the vocabulary and the images. It is not run.
        count: the number of samples.
        task: the task of the model, if it is known.

    Returns:
        Samples on the CPU, the same in every process and in every transformers release.

    Raises:
        UnsupportedError: the architecture takes no such data, or the data cannot be read or is not enough.
    """
    task = task or task_of(model)
    if check.data.synthetic is not None:
        return synthetic_samples(check.data.synthetic, model, task, check.seed, count)
    if not task.reads_text:
        raise UnsupportedError(
            f"{type(model).__name__}: data.jsonl and data.dataset only work for models that continue text, but this "
            f"model is trained for {task.name}; use data.synthetic"
        )
    return text_samples(check, model, count)


__all__ = ["Sample", "build_samples"]
