"""Segmentation of an image: a mask and a class for each segment, in lists next to the image."""

from __future__ import annotations

import inspect
import random
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker
from accumcheck.workload.features import first_that_trains, image_shapes, random_features
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData

MOST = 3
"""The largest number of segments in an image; each image has at least one."""


def _fits(head: Head) -> bool:
    return {"mask_labels", "class_labels", "pixel_values"} <= head.takes


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:  # noqa: ARG001
    """Use the first image size that the model trains on."""
    shapes = list(image_shapes(model))
    draw = random.Random(0)
    probes = (Collator.of(model)([_sample(model, draw, shape, "probe")]) for shape in shapes)
    shape = shapes[first_that_trains(model, "pixel_values", probes)]
    return lambda draw, _, key: _sample(model, draw, shape, str(key))


def _sample(model: PreTrainedModel, draw: random.Random, shape: tuple[int, ...], key: str) -> Sample:
    count, (height, width) = draw.randint(1, MOST), shape[-2:]
    classes = max(1, int(model.config.num_labels))
    generator = torch.Generator().manual_seed(draw.randrange(2**31))
    of = torch.randint(count, (height, width), generator=generator)
    sample: Sample = {
        "pixel_values": random_features(shape, key, model.dtype),
        "mask_labels": torch.stack([of == number for number in range(count)]).to(model.dtype),
        "class_labels": torch.tensor([draw.randrange(classes) for _ in range(count)]),
    }
    if "task_inputs" in inspect.signature(model.forward).parameters:
        length = int(getattr(model.config, "task_seq_len", 77))
        sample["task_inputs"] = torch.tensor([draw.randrange(4, 60) for _ in range(length)])
    return sample


TASK = TaskSpec(name="universal-segmentation", fits=_fits, maker=_maker)
