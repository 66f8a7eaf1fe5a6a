"""Padding of a batch's rows: removed only if a mask marks it as padding, never guessed from equal ids.

A mask belongs to fields with similar names: ``decoder_attention_mask`` to ``decoder_input_ids``,
``attention_mask_chosen`` to ``input_ids_chosen``, ``prompt_attention_mask`` to ``prompts``; a plain ``attention_mask``
belongs to all fields of its shape that have no mask of their own. Padding is everything before the first and after the
last position that a mask shows: positions hidden within a row are kept, and so are those whose label is predicted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from accumcheck.rows.sample import IGNORED, Sample

MASK = "attention_mask"
DECODER = "decoder_"
LABELS = "labels"
_PER_TOKEN = ("ids", "mask", LABELS)
"""Parts of names of fields that have one entry per token."""
_IMAGE_MASKS = ("pixel_mask", "pixel_attention_mask")


def unpadded(fields: Mapping[str, torch.Tensor], *, encoder_decoder: bool) -> dict[str, list[torch.Tensor]]:
    """The rows of every field, without padding.

    Labels without a mask end with the last that is not -100, as in an encoder-decoder; decoder inputs without a mask
    are as long as the labels.

    Args:
        fields: all with the rows as their first dimension.
        encoder_decoder: whether the model is known to be one; its labels then do not belong to ``input_ids``. A model
            that is fed anything for a decoder counts as one as well.
    """
    encoder_decoder = encoder_decoder or any(name.startswith(DECODER) for name in fields)
    rows = {name: list(value) for name, value in fields.items()}
    groups = _groups(fields, encoder_decoder)
    for mask, names in groups.items():
        for index, seen in enumerate(fields[mask].bool()):
            shown = seen if seen.ndim == 1 else seen.flatten(0, -2).any(dim=0)
            for name in names:
                if _is_labels(name, fields[name]) and fields[name].shape == fields[mask].shape:
                    predicted = rows[name][index] != IGNORED
                    shown = shown | (predicted if predicted.ndim == 1 else predicted.flatten(0, -2).any(dim=0))
            kept = _range(shown)
            for name in names:
                sure = mask != MASK or any(part in name for part in _PER_TOKEN)
                rows[name][index] = _cut(rows[name][index], seen.ndim - 1, kept, sure=sure)
    for name in _open_labels(fields, groups, encoder_decoder):
        for index, labels in enumerate(fields[name]):
            shown = (labels != IGNORED).flatten(0, -2).any(dim=0) if labels.ndim > 1 else labels != IGNORED
            end = max(_range(shown).stop if bool(shown.any()) else 0, 1)
            rows[name][index] = labels[..., :end]
            if name == LABELS:
                for other in _decoder_fields(fields, groups):
                    rows[other][index] = fields[other][index][:end]
    return rows


def _groups(fields: Mapping[str, torch.Tensor], encoder_decoder: bool) -> dict[str, list[str]]:
    """The fields of each mask, including itself; one of several dimensions counts only if other fields have them."""
    masks = [name for name, value in fields.items() if MASK in name and _is_mask(value)]
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for mask in sorted(masks, key=len, reverse=True):  # the plain mask comes last
        names = [
            name
            for name, value in fields.items()
            if name not in taken
            and value.shape[: fields[mask].ndim] == fields[mask].shape
            and _is_of(mask, name, encoder_decoder)
        ]
        if fields[mask].ndim == 2 or len(names) > 1:
            found[mask] = names
            taken.update(names)
    return found


def _is_mask(value: torch.Tensor) -> bool:
    """Whether 0 marks padding: not in floats that are added to scores, but in the text numbers of a packed row."""
    if value.ndim < 2:
        return False
    return bool((((value == 0) | (value == 1)) if value.is_floating_point() else (value >= 0)).all())


def _is_of(mask: str, name: str, encoder_decoder: bool) -> bool:
    before, _, after = mask.partition(MASK)
    if name == mask:
        return True
    if before == DECODER and name == LABELS:
        return True
    if before or after:
        alike = name.startswith(before) and name.endswith(after)
        return alike or (not after and name in (before.rstrip("_"), before.rstrip("_") + "s"))
    return not name.startswith(DECODER) and not (encoder_decoder and LABELS in name)


def _is_labels(name: str, value: torch.Tensor) -> bool:
    return LABELS in name and not value.is_floating_point() and value.dtype != torch.bool


def _range(shown: torch.Tensor) -> slice:
    """From the first to the last position that is shown; everything if none is."""
    places = shown.nonzero().flatten()
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, len(shown))


def _cut(row: torch.Tensor, dimension: int, kept: slice, *, sure: bool) -> torch.Tensor:
    """A row without padding; unless it is ``sure`` to have one entry per token, only if all cut entries are equal."""
    length = row.shape[dimension]
    part = row.narrow(dimension, kept.start, kept.stop - kept.start)
    if sure or kept.stop - kept.start == length:
        return part
    rest = torch.cat([row.narrow(dimension, 0, kept.start), row.narrow(dimension, kept.stop, length - kept.stop)])
    fill = rest.flatten()[:1] if rest.shape[0] > 1 else 0
    return part if bool((rest == fill).all()) else row


def _open_labels(
    fields: Mapping[str, torch.Tensor], groups: Mapping[str, Iterable[str]], encoder_decoder: bool
) -> list[str]:
    """Labels that do not share positions with another field, so -100 at their end is padding."""
    masked = {name for names in groups.values() for name in names}
    found = []
    for name, value in fields.items():
        if not _is_labels(name, value) or value.ndim < 2 or name in masked:
            continue
        aligned = any(
            other.shape[:2] == value.shape[:2] for of, other in fields.items() if LABELS not in of and DECODER not in of
        )
        if encoder_decoder or not aligned:
            found.append(name)
    return found


def _decoder_fields(fields: Mapping[str, torch.Tensor], groups: Mapping[str, Iterable[str]]) -> list[str]:
    masked = {name for names in groups.values() for name in names}
    shape = fields[LABELS].shape[:2]
    return [
        name
        for name, value in fields.items()
        if name.startswith(DECODER) and name not in masked and value.shape[:2] == shape
    ]


def cut_images(row: Sample) -> Sample:
    """A row whose images are cut to what their mask (``[images, height, width]``) shows."""
    for name in _IMAGE_MASKS:
        mask, pixels = row.get(name), row.get("pixel_values")
        if not isinstance(mask, torch.Tensor) or not isinstance(pixels, torch.Tensor) or mask.ndim < 3:
            continue
        if pixels.shape[-2:] != mask.shape[-2:] or not _is_mask(mask):
            continue
        shown = mask.bool().flatten(0, -3).any(dim=0)
        height, width = _range(shown.any(dim=1)).stop, _range(shown.any(dim=0)).stop
        return {**row, name: mask[..., :height, :width], "pixel_values": pixels[..., :height, :width]}
    return row


def padded_to_largest(values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Images padded to one size, with zeros on the right and below."""
    if len({value.shape[1:] for value in values}) == 1:
        return list(values)
    largest = [max(sizes) for sizes in zip(*(value.shape[1:] for value in values), strict=True)]
    found = []
    for value in values:
        room = value.new_zeros((len(value), *largest))
        room[(slice(None), *(slice(size) for size in value.shape[1:]))] = value
        found.append(room)
    return found
