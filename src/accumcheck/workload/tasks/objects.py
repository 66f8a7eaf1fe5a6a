"""Objects in an image: the class and the box of each, or its mask."""

from __future__ import annotations

import inspect
import random
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.sample import Sample
from accumcheck.workload.draws import Maker, Text, text_row
from accumcheck.workload.features import first_that_trains, image_shapes, random_features
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData

MOST = 3
"""The largest number of objects in an image; each image has at least one."""


def _fits(head: Head) -> bool:
    boxes = head.is_one("OBJECT_DETECTION", "ForObjectDetection", "labels")
    parts = head.is_one("INSTANCE_SEGMENTATION", "ForInstanceSegmentation", "labels")
    return (boxes or parts or head.classes[0].endswith("ForSegmentation")) and {"pixel_values", "labels"} <= head.takes


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    """Use the first image size that the model trains on. If it reads what to look for, all texts have one length."""
    shapes, collate = list(image_shapes(model)), Collator.of(model)
    text = Text.of(model, data) if "input_ids" in inspect.signature(model.forward).parameters else None
    length = max(1, (data.min_length + data.max_length) // 2)

    def sample(draw: random.Random, shape: tuple[int, ...], key: str) -> Sample:
        pixels = random_features(shape, key, model.dtype)
        row = {} if text is None else text_row(_names(model, text, draw, length))
        return row | {"pixel_values": pixels, "labels": _objects(model, draw, shape)}

    draw = random.Random(0)
    probes = (collate([sample(draw, shape, "probe")]) for shape in shapes)
    shape = shapes[first_that_trains(model, "pixel_values", probes)]
    return lambda draw, _, key: sample(draw, shape, str(key))


def _names(model: PreTrainedModel, text: Text, draw: random.Random, length: int) -> list[int]:
    """A name for each class, with a delimiter before and after each; plain text if the model knows no delimiters."""
    known = getattr(sys.modules[type(model).__module__], "SPECIAL_TOKENS", ())
    delimiters = [token for token in known if token < text.vocabulary]
    if not delimiters:
        return text.ids(draw, length)
    words, classes = replace(text, special=text.special | {*delimiters}), max(1, int(model.config.num_labels))
    each = max(1, length // classes - 1)
    names = [[*words.ids(draw, each), delimiters[-1]] for _ in range(classes)]
    return [delimiters[0], *(token for name in names for token in name)]


def _objects(model: PreTrainedModel, draw: random.Random, shape: tuple[int, ...]) -> dict[str, Any]:
    """Boxes by center and size, relative to the image. A mask is the inside of its box."""
    count, (height, width) = draw.randint(1, MOST), shape[-2:]
    classes = max(1, int(model.config.num_labels))
    sizes = [(draw.uniform(0.2, 0.5), draw.uniform(0.2, 0.5)) for _ in range(count)]
    boxes = [[draw.uniform(x / 2, 1 - x / 2), draw.uniform(y / 2, 1 - y / 2), x, y] for x, y in sizes]
    masks = torch.zeros(count, height, width, dtype=model.dtype)
    for mask, (x, y, w, h) in zip(masks, boxes, strict=True):
        rows, columns = (
            (int((y - h / 2) * height), int((y + h / 2) * height) + 1),
            (
                int((x - w / 2) * width),
                int((x + w / 2) * width) + 1,
            ),
        )
        mask[rows[0] : rows[1], columns[0] : columns[1]] = 1
    return {
        "class_labels": torch.tensor([draw.randrange(classes) for _ in range(count)]),
        "boxes": torch.tensor(boxes, dtype=model.dtype),
        "masks": masks,
    }


TASK = TaskSpec(name="objects", fits=_fits, maker=_maker)
