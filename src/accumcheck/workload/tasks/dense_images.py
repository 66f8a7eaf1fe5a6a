"""A label for every pixel of an image: its class, its depth, or the pixel of a better image."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, SampleKey
from accumcheck.workload.features import first_that_trains, image_shapes, random_features
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData

_REGISTRIES = (
    ("SEMANTIC_SEGMENTATION", "ForSemanticSegmentation"),
    ("IMAGE_SEGMENTATION", "ForImageSegmentation"),
    ("DEPTH_ESTIMATION", "ForDepthEstimation"),
    ("NORMAL_ESTIMATION", "ForNormalEstimation"),
    ("IMAGE_TO_IMAGE", "ForImageSuperResolution"),
    ("IMAGE_MATTING", "ForImageMatting"),
)

Labels = Callable[[random.Random, str], torch.Tensor]


def _fits(head: Head) -> bool:
    if "input_ids" in head.takes:  # the text says what to segment
        return False
    return any(head.is_one(registry, ending, "pixel_values") for registry, ending in _REGISTRIES)


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    """Use the first pair of image shape and label kind that the model trains on."""
    guesses = [(shape, labels) for shape in image_shapes(model) for labels in _labels(model, shape)]
    draw = random.Random(0)
    shape, labels = guesses[
        first_that_trains(
            model,
            "pixel_values",
            (
                {"pixel_values": random_features(shape, "probe", model.dtype), "labels": make(draw, "probe")[None]}
                for shape, make in guesses
            ),
        )
    ]

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        pixels = random_features(shape, str(key), model.dtype)
        return {"pixel_values": pixels, "labels": labels(draw, str(key))}

    return make


def _labels(model: PreTrainedModel, shape: tuple[int, ...]) -> Iterator[Labels]:
    """The kinds of labels: a class per pixel, a number per pixel, or a number per channel and pixel."""
    _, channels, height, width = shape
    classes = max(1, int(getattr(model.config, "num_labels", 2)))
    many = (channels, height, width)

    def of_classes(draw: random.Random, _: str) -> torch.Tensor:
        generator = torch.Generator().manual_seed(draw.randrange(2**31))
        return torch.randint(classes, (height, width), generator=generator)

    def depths(_: random.Random, key: str) -> torch.Tensor:
        return random_features((height, width), f"{key}:depth", model.dtype).abs() + 0.5

    def numbers(_: random.Random, key: str) -> torch.Tensor:
        return random_features(many, f"{key}:numbers", model.dtype)

    yield of_classes
    yield depths
    yield numbers


TASK = TaskSpec(name="dense-images", fits=_fits, maker=_maker)
