"""Classification of videos. All have the same size and length."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, class_label
from accumcheck.workload.features import VIDEO, random_features, video_shape
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    name, video = video_shape(model)

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        return {name: random_features(video, str(key), model.dtype), "labels": class_label(model, draw)}

    return make


TASK = TaskSpec(
    name="video-classification",
    fits=lambda head: head.is_one("VIDEO_CLASSIFICATION", "ForVideoClassification", *VIDEO),
    maker=_maker,
)
