"""The task of a head class, from the registries of transformers, else from its name."""

from __future__ import annotations

import re

REGISTRIES = (
    "IMAGE_TEXT_TO_TEXT",
    "VISION_2_SEQ",
    "VISUAL_QUESTION_ANSWERING",
    "DOCUMENT_QUESTION_ANSWERING",
    "TABLE_QUESTION_ANSWERING",
    "SPEECH_SEQ_2_SEQ",
    "CTC",
    "AUDIO_CLASSIFICATION",
    "AUDIO_FRAME_CLASSIFICATION",
    "AUDIO_XVECTOR",
    "VIDEO_CLASSIFICATION",
    "IMAGE_CLASSIFICATION",
    "ZERO_SHOT_OBJECT_DETECTION",
    "OBJECT_DETECTION",
    "UNIVERSAL_SEGMENTATION",
    "INSTANCE_SEGMENTATION",
    "SEMANTIC_SEGMENTATION",
    "IMAGE_SEGMENTATION",
    "DEPTH_ESTIMATION",
    "MASKED_IMAGE_MODELING",
    "SEQUENCE_CLASSIFICATION",
    "TOKEN_CLASSIFICATION",
    "QUESTION_ANSWERING",
    "MULTIPLE_CHOICE",
    "NEXT_SENTENCE_PREDICTION",
    "SEQ_TO_SEQ_CAUSAL_LM",
    "CAUSAL_LM",
    "MASKED_LM",
)
"""The order matters: for example, models that generate text from images are also registered as causal models."""

ALIASES = {
    "vision-2-seq": "image-text-to-text",
    "seq-to-seq-causal-lm": "seq2seq-lm",
    "speech-seq-2-seq": "speech-seq2seq",
    "x-vector": "audio-xvector",
    "lmhead-model": "causal-lm",
}
"""The names that are shown, if they differ from those of the registry or the class."""


def registry_task(registry: str) -> str:
    """The task of a registry: ``CAUSAL_LM`` is ``causal-lm``."""
    name = registry.lower().replace("_", "-")
    return ALIASES.get(name, name)


def named_task(name: str) -> str:
    """The task in the name of a class: ``DetrForObjectDetection`` gives ``object-detection``."""
    _, found, what = name.rpartition("For")
    if not found or not what:
        what = "CausalLM" if "LMHead" in name else name
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+", what)
    task = "-".join(words).lower()
    return ALIASES.get(task, task)
