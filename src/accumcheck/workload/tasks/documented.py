"""Heads of no other task: inputs and labels as the documentation of forward gives them, if the model runs with them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from accumcheck.rows.collate import Collator
from accumcheck.rows.sample import IGNORED, Sample
from accumcheck.workload.documented import Documented, documented_inputs
from accumcheck.workload.draws import Maker, SampleKey, Text, class_label, text_row
from accumcheck.workload.extra_inputs import extra_inputs
from accumcheck.workload.features import first_that_trains, image_shapes, random_features
from accumcheck.workload.tasks.protocol import Head, TaskSpec, is_label

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData

_MAIN = ("input_ids", "attention_mask", "pixel_values", "bbox", "token_type_ids", "position_ids")
_SPAN = ("start_positions", "end_positions")
_COMPUTED = ("inputs_embeds", "image_embeds", "head_mask", "bool_masked_pos", "image_text_alignment")
"""Inputs that stand for others, or that every model can do without."""
_PREDICTED = 0.4
"""The share of tokens with a label."""
_SIZES = 2
"""The number of image sizes that are tried."""
_IMAGES = 2
"""The number of images of a sample that has several."""
_PATIENCE = 40
"""After so many equal errors in a row, no other form is tried."""


@dataclass(frozen=True, slots=True)
class _Form:
    """One form of a sample: the shape of its image, if it has one; its further inputs; and the kind of its labels."""

    image: tuple[int, ...] | None
    further: tuple[Documented, ...]
    labels: str


def _fits(head: Head) -> bool:
    known = {"input_ids", "pixel_values"} & head.takes
    return bool(known) and ("start_positions" in head.takes or any(map(is_label, head.takes)))


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    """All rows have the same length, because padding may not be known to a model's further inputs."""
    inputs = documented_inputs(model)
    takes_text, takes_image = "input_ids" in inputs, "pixel_values" in inputs
    text = Text.of(model, data) if takes_text else None
    length = max(4, (data.min_length + data.max_length) // 2)
    forms = list(_forms(model, inputs, takes_image=takes_image))

    def sample(form: _Form, draw: random.Random, key: str) -> Sample:
        found: Sample = {}
        sizes = {"length": length, **_image_sizes(form.image)}
        if text is not None:
            found |= text_row(text.ids(draw, length))
            lead = inputs["input_ids"].shape(model.config, sizes)[:-1]
            if form.labels == "documented" and lead:
                found = {name: value.expand(*lead, length).clone() for name, value in found.items()}
        if form.image is not None:
            found["pixel_values"] = random_features(form.image, key, model.dtype)
        for one in form.further:
            found[one.name] = _input(one, one.shape(model.config, sizes), length, f"{key}:{one.name}", model.dtype)
        for name, one in inputs.items():
            if is_label(name) or name in _SPAN:
                found[name] = _label(model, form.labels, one, sizes, draw, f"{key}:{name}")
        return {**extra_inputs(model, found), **found}

    collate = Collator.of(model)
    probes = (collate([sample(form, random.Random(number), f"probe:{number}") for number in (0, 1)]) for form in forms)
    form = forms[first_that_trains(model, "inputs", probes, patience=_PATIENCE)]

    def make(draw: random.Random, _: int, key: SampleKey) -> Sample:
        return sample(form, draw, str(key))

    return make


def _forms(model: PreTrainedModel, inputs: Mapping[str, Documented], *, takes_image: bool) -> Iterator[_Form]:
    """The forms to try: as documented first, without and with inputs that not every model needs."""
    others = tuple(
        one for name, one in inputs.items() if not is_label(name) and name not in (*_MAIN, *_COMPUTED, *_SPAN)
    )
    unmasked = tuple(one for one in others if not one.name.endswith("_mask"))
    further = list(dict.fromkeys([(), others, unmasked, *((one,) for one in others)]))
    images = _images(model) if takes_image else [None]
    for image in images:
        for labels in ("documented", "shares", "row", "token", "numbers"):
            for inputs_of_form in further:
                yield _Form(image, inputs_of_form, labels)


def _images(model: PreTrainedModel) -> list[tuple[int, ...] | None]:
    """One image in a few sizes; then several images, or a video."""
    single = list(dict.fromkeys(image_shapes(model)))[:_SIZES]
    frames = getattr(model.config, "num_frames", None)
    counts = [frames] if isinstance(frames, int) and frames > 0 else []
    return [*single, *((1, count, *single[0][1:]) for count in (*counts, _IMAGES))]


def _image_sizes(image: tuple[int, ...] | None) -> dict[str, int]:
    if image is None:
        return {}
    channels, height, width = image[-3:]
    return {"num_channels": channels, "height": height, "width": width, "image_size": height}


def _input(one: Documented, shape: tuple[int, ...], length: int, key: str, dtype: torch.dtype) -> torch.Tensor:
    """A mask without padding, positions in the text, small ids, or random features."""
    draw = random.Random(key)
    if one.name.endswith("_mask"):
        return torch.ones(shape, dtype=torch.long)
    if "position" in one.name:
        return torch.tensor([draw.randrange(length) for _ in range(_count(shape))]).reshape(shape)
    if one.is_whole:
        most = 2 if "type" in one.name else 4
        return torch.tensor([draw.randrange(1, most) for _ in range(_count(shape))]).reshape(shape)
    return random_features(shape, key, dtype)


def _label(
    model: PreTrainedModel, kind: str, one: Documented, sizes: Mapping[str, int], draw: random.Random, key: str
) -> torch.Tensor:
    """A label of the documented shape, whole or not; or a class of the row or of each token, or a number per class."""
    shape, length = one.shape(model.config, sizes), sizes["length"]
    classes = max(2, int(getattr(model.config, "num_labels", 2) or 2))
    if "positions" in one.name:
        return torch.tensor([draw.randrange(1, 4) for _ in range(_count(shape))]).reshape(shape)
    if kind == "row":
        return class_label(model, draw)
    if kind == "numbers":
        return random_features((classes,), key, model.dtype).abs() / 2
    if kind == "shares" or (kind == "documented" and not one.is_whole):
        return random_features(shape, key, model.dtype).abs() / 2  # between 0 and 1, as for a share or a mask
    if kind == "token":
        shape = (length,)
    values = [draw.randrange(classes) for _ in range(_count(shape))]
    if len(shape) == 1 and shape[0] > 1:
        values = [value if draw.random() < _PREDICTED or not place else IGNORED for place, value in enumerate(values)]
    return torch.tensor(values).reshape(shape)


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


TASK = TaskSpec(name="documented", fits=_fits, maker=_maker)
