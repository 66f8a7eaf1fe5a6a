"""Random images and sounds for models without text, in a shape with which the model runs."""

from __future__ import annotations

import hashlib
import inspect
import re
from typing import TYPE_CHECKING, Any

import torch

from accumcheck.errors import UnsupportedError, UnsupportedHeadError
from accumcheck.rows.fields import moved
from accumcheck.workload.causes import first_line
from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.image_layouts import pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from transformers import PreTrainedModel

    from accumcheck.rows.sample import Sample

AUDIO = ("input_features", "input_values")
"""The names of sound inputs: a spectrogram, or a wave (some models take a spectrogram under the second name)."""

VIDEO = ("pixel_values", "pixel_values_videos")
"""The names of video inputs."""

_IMAGE_SIDES = (32, 64, 128, 224, 384, 512)
_WAVES = (10400, 16000, 32000, 64000)  # 0.65 seconds at 16 kHz, and more
_VIDEO_FRAMES = (2, 8, 16)
_FRAMES = (64, 128, 256, 1024, 3000)
_SAME = 6
"""After so many equal errors in a row, another form is not tried: two image sizes with three kinds of labels."""
_CHANNELS = re.compile(r"(weight of size \[.*\]), expected input\[.*to have (\d+) channels, but got (\d+) channels")
_WITHOUT = re.compile(r"missing \d+ required positional argument|must specify exactly one of input_ids")
_CHANNEL_ERRORS = 3
"""After so many equal errors about channels in a row, no other form is tried."""
_ONE_VALUE = "Expected more than 1 value per channel when training"


def random_features(shape: tuple[int, ...], key: str, dtype: torch.dtype) -> torch.Tensor:
    """Multiples of 1/64 in [-2, 2). They are exact in every dtype, so all dtypes have the same input."""
    seed = int.from_bytes(hashlib.sha256(f"{key}:pixels".encode()).digest()[:8], "little") >> 1
    generator = torch.Generator().manual_seed(seed)
    return (torch.randint(-128, 128, shape, generator=generator) / 64).to(dtype)


def image_shape(model: PreTrainedModel) -> tuple[int, ...]:
    """The shape of one sample's ``pixel_values``, ``[1, channels, height, width]``: the first one that can be trained.

    Raises:
        UnsupportedError: the model trains on none of the shapes that were tried.
    """
    found, _ = _first_that_runs(model, "pixel_values", image_shapes(model), {"labels": _label(model)})
    return found


def video_shape(model: PreTrainedModel) -> tuple[str, tuple[int, ...]]:
    """The name of a model's video input, and the shape of one sample: ``[1, frames, channels, height, width]``.

    Raises:
        UnsupportedError: the model trains on none of the shapes that were tried.
    """
    takes = inspect.signature(model.forward).parameters
    name = next(name for name in reversed(VIDEO) if name in takes)
    fields: dict[str, Any] = {}
    for part in sub_configs(model.config):
        fields = {**vars(part), **fields}
    known = [fields[one] for one in ("num_frames", "frames_per_clip", "num_frames_per_clip") if fields.get(one)]
    shapes = ((1, frames, *shape[1:]) for frames in (*known, *_VIDEO_FRAMES) for shape in image_shapes(model))
    found, _ = _first_that_runs(model, name, shapes, {"labels": _label(model)})
    return name, found


def image_shapes(model: PreTrainedModel) -> Iterator[tuple[int, ...]]:
    """Possible shapes of one image, ``[1, channels, height, width]``. The config's own sizes come first."""
    parts = [vars(part) for part in sub_configs(model.config)]
    channels = next(
        (part[name] for part in parts for name in ("num_channels", "in_channels", "in_chans") if part.get(name)), 3
    )
    sizes = [pair(part[name]) for part in parts for name in ("image_size", "max_img_size") if part.get(name)]
    squares = [(min(size), min(size)) for size in sizes]  # a prompt and an image side by side are two squares
    for size in dict.fromkeys((*sizes, *squares, *map(pair, _IMAGE_SIDES))):
        yield (1, int(channels), *size)


def sound_shape(model: PreTrainedModel, labels: torch.Tensor | None) -> tuple[str, tuple[int, ...], int]:
    """The name of a model's sound input, the shape of one sample, and the number of frames that the model makes of it.

    Args:
        model: the model, which is run on one sample until a shape fits.
        labels: the labels of one sample, ``[1, ...]``; None: run without labels, to find their form.

    Raises:
        UnsupportedError: the model trains on none of the shapes that were tried.
    """
    takes = inspect.signature(model.forward).parameters
    name = next(name for name in AUDIO if name in takes)
    found, outputs = _first_that_runs(
        model, name, sound_shapes(model, name), {} if labels is None else {"labels": labels}
    )
    return name, found[1:], int(outputs.logits.shape[1])


def sound_shapes(model: PreTrainedModel, name: str) -> Iterator[tuple[int, ...]]:
    """Possible shapes: spectrograms of the lengths in the config, then of other lengths; waves of several lengths."""
    fields: dict[str, Any] = {}
    for part in sub_configs(model.config):
        fields = {**vars(part), **fields}
    bins = (
        fields.get("num_mel_bins") or fields.get("input_feat_per_channel") or fields.get("feature_projection_input_dim")
    )
    if bins:
        known = fields.get("max_length") if isinstance(fields.get("max_length"), int) else None
        if isinstance(fields.get("max_source_positions"), int):
            yield (1, bins, 2 * fields["max_source_positions"])  # Whisper: exactly this length, bins first
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
    complaints: list[str] = []
    for shape in shapes:
        values = random_features(shape, "probe", model.dtype).to(model.device)
        try:
            outputs = model(**{name: values}, **{field: value.to(model.device) for field, value in fields.items()})
            if fields:
                check_loss(outputs)
            return shape, outputs
        except Exception as error:  # a model may raise anything for a wrong shape
            _check_trainable(model, error)
            complaints.append(f"{type(error).__name__}: {first_line(str(error))}")
            if not _is_worthwhile(complaints):
                break
    raise _unsupported(model, name, complaints)


def first_that_trains(
    model: PreTrainedModel, name: str, batches: Iterable[Mapping[str, Any]], *, patience: int = _SAME
) -> int:
    """The number of the first batch for which the model computes a loss.

    Args:
        model: the model, which is run on the batches.
        name: what was guessed, for the message.
        batches: batches of few samples, on the CPU.
        patience: after so many equal errors in a row, the search ends.

    Raises:
        UnsupportedError: the model computes no loss for any of them.
        UnsupportedHeadError: the model cannot be trained in this way, in whatever size.
    """
    complaints: list[str] = []
    for number, batch in enumerate(batches):
        try:
            with torch.no_grad():
                check_loss(model(**moved(batch, model.device)))
            return number
        except Exception as error:  # a model may raise anything for a wrong shape
            _check_trainable(model, error)
            complaints.append(f"{type(error).__name__}: {first_line(str(error))}")
            if not _is_worthwhile(complaints, patience):
                break
    raise _unsupported(model, name, complaints)


def _check_trainable(model: PreTrainedModel, error: Exception) -> None:
    """Raise an `UnsupportedHeadError` if the model computes no loss, in whatever form its inputs are."""
    if isinstance(error, NotImplementedError):
        raise UnsupportedHeadError(f"{type(model).__name__} computes no loss: {first_line(str(error))}") from None


def _is_worthwhile(complaints: list[str], patience: int = _SAME) -> bool:
    """Whether to try another form: not if the last ones all had the same error, which names no size.

    The size of an image changes no number of channels inside a model, and does not replace a missing input.
    """
    inside = [found.groups() for one in complaints[-_CHANNEL_ERRORS:] if (found := _CHANNELS.search(one))]
    if len(inside) == _CHANNEL_ERRORS and len(set(inside)) == 1:
        return False
    if patience == _SAME and _WITHOUT.search(complaints[-1]):
        return False
    last = complaints[-patience:]
    return len(last) < patience or len(set(last)) > 1


def check_loss(outputs: Any) -> None:
    """Raise a `ValueError` if a model returned no loss, or a loss that is not finite."""
    if getattr(outputs, "loss", None) is None:
        raise ValueError("the model returned no loss")
    if not bool(torch.isfinite(outputs.loss).all()):
        raise ValueError(f"the loss is {float(outputs.loss.mean())}")


def _unsupported(model: PreTrainedModel, name: str, complaints: list[str]) -> UnsupportedError:
    if complaints and all(_ONE_VALUE in one for one in complaints):
        return UnsupportedHeadError(
            f"{type(model).__name__} cannot be trained on one sample at a time: "
            "a batch norm then has one value per channel"
        )
    return UnsupportedError(
        f"{type(model).__name__}: no synthetic {name} can be made for model type {model.config.model_type!r} "
        f"({next(iter(complaints), 'no shape is known')}); if the model is shrunk, try shrink: false"
    )
