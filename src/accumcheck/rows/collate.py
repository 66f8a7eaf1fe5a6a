"""From samples to a micro-batch: fields of different lengths are padded on the right, images are concatenated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from accumcheck.rows.fields import entries_of
from accumcheck.rows.padding import padded_to_largest
from accumcheck.rows.sample import IGNORED, IMAGE_FIELDS, Entry, Sample, Whole
from accumcheck.rows.vocabulary import embedded_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

LISTS = ("mask_labels", "class_labels")
"""Fields of which every row has another number of entries, so that a batch of them is a list."""


def collate(samples: Sequence[Sample], pad_token_id: int) -> dict[str, Any]:
    """Make one micro-batch.

    Image fields are concatenated along their own first dimension. Fields with a mapping per row, such as the objects
    of an image, and the `LISTS` become a list. Of rows kept from a program, a value that it fed whole stays whole, and
    the entries of a list become that list again. All others are stacked; if their shapes differ, each is first padded
    on the right to the largest: ``input_ids`` with the padding id, ``labels`` with -100 (and fields whose names have
    these in them, as ``chosen_input_ids``), all others with 0.

    Args:
        samples: at least one; all with the same fields, except for image fields.
        pad_token_id: fills ``input_ids``.

    Returns:
        Tensors whose first dimension is the batch, except for image fields, where it counts all images (or patches);
        and lists with one entry per row.
    """
    fills = {"input_ids": pad_token_id, "labels": IGNORED}
    batch: dict[str, Any] = {}
    for name in {name: None for sample in samples for name in sample}:
        # some rows may have no image; every other field is in all of them
        values = [sample[name] for sample in samples if name in sample]
        if isinstance(values[0], Whole):
            batch[name] = values[0].value
        elif isinstance(values[0], Entry):
            batch[name] = entries_of(values)
        elif isinstance(values[0], Mapping) or name in LISTS:
            batch[name] = values
        elif name.startswith(IMAGE_FIELDS):
            batch[name] = torch.cat(padded_to_largest(values))
        else:
            fill = next((value for part, value in fills.items() if part in name), 0)
            batch[name] = torch.stack(_padded(values, fill))
    return batch


def _padded(values: list[torch.Tensor], fill: int) -> list[torch.Tensor]:
    """All values padded to a shape that holds each of them."""
    if len({value.shape for value in values}) == 1:
        return values
    largest = [max(sizes) for sizes in zip(*(value.shape for value in values), strict=True)]
    padded = []
    for value in values:
        room = value.new_full(largest, fill)
        room[tuple(slice(size) for size in value.shape)] = value
        padded.append(room)
    return padded


@dataclass(frozen=True)
class Collator:
    """`collate` as a ``data_collator``: picklable, and independent of the split."""

    pad_token_id: int

    @classmethod
    def of(cls, model: PreTrainedModel) -> Collator:
        """The collator for a model: pads with the config's padding id, else its end-of-text id, else 0.

        Padding is never attended to and never predicted, so any id of the vocabulary gives the same loss.
        """
        config = getattr(model, "config", None)
        if not hasattr(config, "get_text_config"):  # the user's own module
            return cls(0)
        vocabulary = embedded_ids(model) or 0
        for part in (model.config, model.config.get_text_config()):
            for name in ("pad_token_id", "eos_token_id"):
                value = getattr(part, name, None)
                value = value[0] if isinstance(value, list) and value else value
                if isinstance(value, int) and 0 <= value < vocabulary:
                    return cls(value)
        return cls(0)

    def __call__(self, samples: Sequence[Sample]) -> dict[str, Any]:
        """Make one micro-batch of ``samples``."""
        return collate(samples, self.pad_token_id)
