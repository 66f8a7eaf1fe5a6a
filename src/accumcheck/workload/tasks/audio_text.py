"""Continuation of text with a sound in its prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.workload.continued_text import continued_text_maker
from accumcheck.workload.draws import Maker
from accumcheck.workload.features import AUDIO
from accumcheck.workload.sounds import sound_recipe
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    return (
        head.generates
        and not head.encodes
        and "input_ids" in head.takes
        and not head.takes.isdisjoint(AUDIO)
        and "pixel_values" not in head.takes
    )


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    return continued_text_maker(model, data, sound_recipe(model) if data.images_per_sample > 0 else None)


TASK = TaskSpec(name="audio-text", fits=_fits, maker=_maker, reads_text=True)
