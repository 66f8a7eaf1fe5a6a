"""Continuation of text: everything after the prompt is predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.workload.continued_text import continued_text_maker
from accumcheck.workload.draws import Maker
from accumcheck.workload.features import AUDIO
from accumcheck.workload.tasks.protocol import Head, TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    others = {"pixel_values", "pixel_values_videos", *AUDIO}
    return head.generates and not head.encodes and "input_ids" in head.takes and head.takes.isdisjoint(others)


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    return continued_text_maker(model, data, None)


TASK = TaskSpec(name="causal-text", fits=_fits, maker=_maker, reads_text=True)
