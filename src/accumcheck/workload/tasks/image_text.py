"""Continuation of text with images in its prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.workload.continued_text import continued_text_maker
from accumcheck.workload.draws import Maker
from accumcheck.workload.images import image_recipe
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    return head.generates and not head.encodes and {"input_ids", "pixel_values"} <= head.takes


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    return continued_text_maker(model, data, image_recipe(model) if data.images_per_sample > 0 else None)


TASK = TaskSpec(name="image-text", fits=_fits, maker=_maker, reads_text=True)
