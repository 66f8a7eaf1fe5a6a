"""Classification of sounds. All have the same length, because some architectures normalise over padding."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, class_label
from accumcheck.workload.features import AUDIO, random_features, sound_shape
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


_HEADS = (
    ("AUDIO_CLASSIFICATION", "ForAudioClassification"),
    ("AUDIO_XVECTOR", "ForXVector"),  # speaker recognition
)


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    name, shape, _ = sound_shape(model, torch.zeros(1, dtype=torch.long))

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        return {name: random_features(shape, str(key), model.dtype), "labels": class_label(model, draw)}

    return make


TASK = TaskSpec(
    name="audio-classification",
    fits=lambda head: any(head.is_one(registry, ending, *AUDIO) for registry, ending in _HEADS),
    maker=_maker,
)
