"""Rows of pixels or sound with what is to be predicted of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from accumcheck.workload.features import image_shape, random_features, sound_shape
from accumcheck.workload.text_tasks import Maker, Text, class_label, longest_target

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData
    from accumcheck.workload.tasks import Task


def feature_maker(task: Task, model: PreTrainedModel, data: SyntheticData) -> Maker:
    """The maker of samples for a task that takes pixels or sound and no text.

    All images have one size and all sounds one length, since some architectures normalise over the padding; how many
    tokens are to be predicted of a sound differs.

    Raises:
        WorkloadError: the model runs with none of the shapes tried.
    """
    if task == "image-classification":
        image = image_shape(model)
        return lambda draw, _, key: {
            "pixel_values": random_features(image, str(key), model.dtype),
            "labels": class_label(model, draw),
        }
    if task == "audio-classification":
        name, shape, _ = sound_shape(model, torch.zeros(1, dtype=torch.long))
        return lambda draw, _, key: {
            name: random_features(shape, str(key), model.dtype),
            "labels": class_label(model, draw),
        }
    text = Text.of(model, data, vocabulary=_vocabulary(model))
    probe = torch.tensor([[text.vocabulary // 2]])
    name, shape, frames = sound_shape(model, probe)
    # connectionist temporal classification needs a frame per label, and one more between two that are alike
    longest = frames // 2 if task == "ctc" else longest_target(model)
    return lambda draw, _, key: {
        name: random_features(shape, str(key), model.dtype),
        "labels": torch.tensor(text.target(draw, longest)),
    }


def _vocabulary(model: PreTrainedModel) -> int | None:
    """The number of ids that the model predicts, where its config says it; it may embed none."""
    size = getattr(model.config, "vocab_size", None)
    return size if isinstance(size, int) else None
