"""All tasks, in the order in which the task of a model is searched. A new task needs its file and a line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import UnsupportedHeadError
from accumcheck.workload.tasks import (
    audio_classification,
    audio_frames,
    audio_text,
    causal_text,
    ctc,
    dense_images,
    documented,
    image_classification,
    image_seq2seq,
    image_text,
    masked_text,
    multiple_choice,
    next_sentence,
    objects,
    pre_training,
    question_answering,
    seq2seq_text,
    sequence_classification,
    speech_seq2seq,
    token_classification,
    universal_segmentation,
    video_classification,
)
from accumcheck.workload.tasks.protocol import Head, TaskSpec, is_label

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TASKS: tuple[TaskSpec, ...] = (
    # heads come before models that generate, because some models are registered as both
    sequence_classification.TASK,
    token_classification.TASK,
    multiple_choice.TASK,
    question_answering.TASK,
    next_sentence.TASK,
    image_classification.TASK,
    video_classification.TASK,
    universal_segmentation.TASK,
    objects.TASK,
    dense_images.TASK,
    audio_classification.TASK,
    audio_frames.TASK,
    ctc.TASK,
    pre_training.TASK,
    masked_text.TASK,
    seq2seq_text.TASK,
    speech_seq2seq.TASK,
    image_seq2seq.TASK,
    image_text.TASK,
    audio_text.TASK,
    causal_text.TASK,
    documented.TASK,
)


def task_of(model: PreTrainedModel) -> TaskSpec:
    """Find the task from the model's head and the inputs of its forward.

    Raises:
        UnsupportedHeadError: accumcheck cannot make samples for this architecture.
    """
    return tasks_of(model)[0]


def tasks_of(model: PreTrainedModel) -> list[TaskSpec]:
    """The task of a model, and then the task of heads of any kind, if it may fit as well.

    Raises:
        UnsupportedHeadError: accumcheck cannot make samples for this architecture.
    """
    head, name = Head.of(model), type(model).__name__
    if "start_positions" not in head.takes and not any(map(is_label, head.takes)):
        raise UnsupportedHeadError(
            f"{name} computes no loss (its forward takes no labels); choose a model.architecture with a head"
        )
    found = [task for task in TASKS if task.fits(head)]
    if not found:
        known = ", ".join(sorted(task.name for task in TASKS))
        raise UnsupportedHeadError(f"{name}: no samples can be made for this architecture; supported tasks: {known}")
    of_any_kind = [documented.TASK] if documented.TASK in found[1:] and not found[0].reads_text else []
    return [found[0], *of_any_kind]
