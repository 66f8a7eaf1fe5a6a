"""Random images and sounds for models that take nothing else, in the shape that each of them runs with."""

from __future__ import annotations

import hashlib
import inspect
from typing import TYPE_CHECKING, Any

import torch

from accumcheck.errors import UnsupportedError
from accumcheck.workload.causes import first_line
from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.image_layouts import pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

    from accumcheck.rows.sample import Sample

AUDIO = ("input_features", "input_values")
"""Under which names models take sound: as a spectrogram, or as a wave (some take a spectrogram under the second)."""

_IMAGE_SIDES = (32, 64, 128, 224, 384, 512)
_WAVES = (10400, 16000, 32000, 64000)  # 0.65 seconds at 16 kHz, and more
_FRAMES = (64, 128, 256, 1024, 3000)


def random_features(shape: tuple[int, ...], key: str, dtype: torch.dtype) -> torch.Tensor:
    """Multiples of 1/64 in [-2, 2): exact in every dtype, so that all dtypes see the same input."""
    seed = int.from_bytes(hashlib.sha256(f"{key}:pixels".encode()).digest()[:8], "little") >> 1
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(-128, 128, shape, generator=generator) / 64).to(dtype)


def image_shape(model: PreTrainedModel) -> tuple[int, ...]:
    """The shape of one sample's ``pixel_values``, ``[1, channels, height, width]``: the first that the model trains on.

    Raises:
        UnsupportedError: none of those tried is one.
    """
    found, _ = _first_that_runs(model, "pixel_values", _image_shapes(model), {"labels": _label(model)})
    return found


def _image_shapes(model: PreTrainedModel) -> Iterator[tuple[int, ...]]:
    parts = [vars(part) for part in sub_configs(model.config)]
    channels = next(
        (part[name] for part in parts for name in ("num_channels", "in_channels", "in_chans") if part.get(name)), 3
    )
    sizes = [part["image_size"] for part in parts if part.get("image_size")]
    for size in (*sizes, *_IMAGE_SIDES):
        yield (1, int(channels), *pair(size))


def sound_shape(model: PreTrainedModel, labels: torch.Tensor) -> tuple[str, tuple[int, ...], int]:
    """Under which name a model takes one sample's sound, in which shape, and how many frames it makes of it.

    Args:
        model: is run on one sample until a shape suits it.
        labels: one sample's, ``[1, ...]``.

    Raises:
        UnsupportedError: none of the shapes tried is one that the model trains on.
    """
    takes = inspect.signature(model.forward).parameters
    name = next(name for name in AUDIO if name in takes)
    found, outputs = _first_that_runs(model, name, _sound_shapes(model, name), {"labels": labels})
    return name, found[1:], int(outputs.logits.shape[1])


def _sound_shapes(model: PreTrainedModel, name: str) -> Iterator[tuple[int, ...]]:
    """Spectrograms of the lengths that the config names, then of some others; waves of some lengths."""
    fields: dict[str, Any] = {}
    for part in sub_configs(model.config):
        fields = {**vars(part), **fields}
    bins = (
        fields.get("num_mel_bins") or fields.get("input_feat_per_channel") or fields.get("feature_projection_input_dim")
    )
    if bins:
        known = fields.get("max_length") if isinstance(fields.get("max_length"), int) else None
        if isinstance(fields.get("max_source_positions"), int):
            yield (1, bins, 2 * fields["max_source_positions"])  # Whisper: exactly so many, bins first
        for frames in (*([known] if known else []), *_FRAMES):
            yield (1, frames, bins)
    if name == "input_values" or not bins:
        for length in _WAVES:
            yield (1, length)


def _label(model: PreTrainedModel) -> torch.Tensor:
    kind, labels = getattr(model.config, "problem_type", None), model.config.num_labels
    if kind == "multi_label_classification" or (kind == "regression" and labels > 1):
        return torch.zeros(1, labels, dtype=model.dtype)
    return torch.zeros(1, dtype=model.dtype if kind == "regression" or labels == 1 else torch.long)


@torch.no_grad()
def _first_that_runs(
    model: PreTrainedModel, name: str, shapes: Iterator[tuple[int, ...]], fields: Sample
) -> tuple[tuple[int, ...], Any]:
    complaint = "no shape is known"
    for shape in shapes:
        values = random_features(shape, "probe", model.dtype).to(model.device)
        try:
            outputs = model(**{name: values}, **{field: value.to(model.device) for field, value in fields.items()})
            if not bool(torch.isfinite(outputs.loss)):
                raise ValueError(f"the loss is {float(outputs.loss)}")
            return shape, outputs
        except Exception as error:  # whatever a model raises that was given the wrong shape
            complaint = f"{type(error).__name__}: {first_line(str(error))}"
    kind = model.config.model_type
    raise UnsupportedError(
        f"{type(model).__name__}: no synthetic {name} can be made for model type {kind!r} ({complaint}); "
        "where the model is shrunk, try shrink: false"
    )
