"""Speech recognition by generating the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.workload.draws import Maker, longest_target
from accumcheck.workload.features import AUDIO
from accumcheck.workload.tasks.protocol import Head, TaskSpec
from accumcheck.workload.transcripts import transcript_maker

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _fits(head: Head) -> bool:
    return head.generates and head.encodes and not head.takes.isdisjoint(AUDIO)


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    return transcript_maker(model, data, lambda _: longest_target(model))


TASK = TaskSpec(name="speech-seq2seq", fits=_fits, maker=_maker)
