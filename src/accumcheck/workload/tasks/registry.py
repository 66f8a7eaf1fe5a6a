"""Every task, in the order in which a model's own is looked for. Adding one: its file, and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import UnsupportedError
from accumcheck.workload.tasks import (
    audio_classification,
    causal_text,
    ctc,
    image_classification,
    image_seq2seq,
    image_text,
    masked_text,
    multiple_choice,
    question_answering,
    seq2seq_text,
    sequence_classification,
    speech_seq2seq,
    token_classification,
)
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TASKS: tuple[TaskSpec, ...] = (
    # heads go before what generates: some models are registered as both
    sequence_classification.TASK,
    token_classification.TASK,
    multiple_choice.TASK,
    question_answering.TASK,
    image_classification.TASK,
    audio_classification.TASK,
    ctc.TASK,
    masked_text.TASK,
    seq2seq_text.TASK,
    speech_seq2seq.TASK,
    image_seq2seq.TASK,
    image_text.TASK,
    causal_text.TASK,
)


def task_of(model: PreTrainedModel) -> TaskSpec:
    """Tell the task from the model's head and from what its forward takes.

    Raises:
        UnsupportedError: no samples can be made for this architecture.
    """
    head, name = Head.of(model), type(model).__name__
    if head.takes.isdisjoint(("labels", "start_positions")):
        raise UnsupportedError(
            f"{name} computes no loss (its forward takes no labels); choose a model.architecture with a head"
        )
    found = next((task for task in TASKS if task.fits(head)), None)
    if found is None:
        known = ", ".join(sorted(task.name for task in TASKS))
        raise UnsupportedError(f"{name}: no samples can be made for this architecture; supported are {known}")
    return found
