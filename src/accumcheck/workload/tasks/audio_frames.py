"""Classification of the frames of a sound: which speakers speak in each frame."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey
from accumcheck.workload.features import AUDIO, random_features, sound_shape
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    name, shape, frames = sound_shape(model, None)
    classes = int(model.config.num_labels)

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        spoken = torch.tensor([draw.randrange(classes) for _ in range(frames)])
        labels = torch.nn.functional.one_hot(spoken, classes).to(model.dtype)
        return {name: random_features(shape, str(key), model.dtype), "labels": labels}

    return make


TASK = TaskSpec(
    name="audio-frame-classification",
    fits=lambda head: head.is_one("AUDIO_FRAME_CLASSIFICATION", "ForAudioFrameClassification", *AUDIO),
    maker=_maker,
)
