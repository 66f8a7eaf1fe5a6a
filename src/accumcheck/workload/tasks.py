"""What an architecture is trained to do, and so which kind of sample it takes."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from transformers.models.auto import modeling_auto

from accumcheck.errors import WorkloadError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from transformers import PreTrainedModel

Task = Literal[
    "causal-text",
    "seq2seq-text",
    "masked-text",
    "image-text",
    "sequence-classification",
    "token-classification",
    "multiple-choice",
    "question-answering",
    "image-classification",
    "speech-seq2seq",
    "ctc",
    "audio-classification",
]

AUDIO = ("input_features", "input_values")
"""Under which names models take sound: as a spectrogram, or as a wave (some take a spectrogram under the second)."""

_TEXT = ("input_ids",)
_OTHER_INPUTS = {"pixel_values_videos", *AUDIO}


@dataclass(frozen=True)
class _Head:
    """A kind of head, known by transformers' own registry of heads or by how such classes are named."""

    task: Task
    registry: str
    ending: str
    takes: tuple[str, ...]

    def is_head_of(self, model: PreTrainedModel, takes: Iterable[str]) -> bool:
        known = names_in(self.registry)
        named = any(base.__name__ in known or base.__name__.endswith(self.ending) for base in type(model).__mro__)
        return named and bool(set(self.takes) & set(takes))


_HEADS = (
    _Head("sequence-classification", "SEQUENCE_CLASSIFICATION", "ForSequenceClassification", _TEXT),
    _Head("token-classification", "TOKEN_CLASSIFICATION", "ForTokenClassification", _TEXT),
    _Head("multiple-choice", "MULTIPLE_CHOICE", "ForMultipleChoice", _TEXT),
    _Head("question-answering", "QUESTION_ANSWERING", "ForQuestionAnswering", ("start_positions",)),
    _Head("image-classification", "IMAGE_CLASSIFICATION", "ForImageClassification", ("pixel_values",)),
    _Head("audio-classification", "AUDIO_CLASSIFICATION", "ForAudioClassification", AUDIO),
    _Head("ctc", "CTC", "ForCTC", AUDIO),
    _Head("masked-text", "MASKED_LM", "ForMaskedLM", _TEXT),
)


def names_in(registry: str) -> frozenset[str]:
    """The class names in one of transformers' registries of heads, for example ``MASKED_LM``."""
    names = getattr(modeling_auto, f"MODEL_FOR_{registry}_MAPPING_NAMES", {}).values()
    return frozenset(name for item in names for name in ([item] if isinstance(item, str) else item))


def task_of(model: PreTrainedModel) -> Task:
    """Tell the task from the model's head and from what its forward takes.

    Raises:
        WorkloadError: no samples can be made for this architecture.
    """
    takes = set(inspect.signature(model.forward).parameters)
    name = type(model).__name__
    if not {"labels", "start_positions"} & takes:
        raise WorkloadError(
            f"{name} computes no loss (its forward takes no labels); choose a model.architecture with a head"
        )
    generates = model.can_generate() and "labels" in takes
    # encoder-decoders fill in masked text by generating it, and some causal models are registered for both
    trained_to_generate = generates and (model.config.is_encoder_decoder or name in names_in("CAUSAL_LM"))
    for head in _HEADS:
        if not (head.task == "masked-text" and trained_to_generate) and head.is_head_of(model, takes):
            return head.task
    if generates and (task := _generating(model, takes)):
        return task
    raise WorkloadError(
        f"{name}: no samples can be made for this architecture; supported are {', '.join(get_args(Task))}"
    )


def _generating(model: PreTrainedModel, takes: set[str]) -> Task | None:
    if model.config.is_encoder_decoder:
        if "input_ids" in takes and "pixel_values" not in takes:
            return "seq2seq-text"
        return "speech-seq2seq" if set(AUDIO) & takes else None
    if "input_ids" in takes and "pixel_values" in takes:
        return "image-text"
    return "causal-text" if "input_ids" in takes and not _OTHER_INPUTS & takes else None
