"""Classification of images. All have the same size, because some architectures normalise over padding."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey, class_label
from accumcheck.workload.features import image_shape, random_features
from accumcheck.workload.tasks.protocol import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    image = image_shape(model)

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        pixels = random_features(image, str(key), model.dtype)
        return {"pixel_values": pixels, "labels": class_label(model, draw)}

    return make


TASK = TaskSpec(
    name="image-classification",
    fits=lambda head: head.is_one("IMAGE_CLASSIFICATION", "ForImageClassification", "pixel_values"),
    maker=_maker,
)
