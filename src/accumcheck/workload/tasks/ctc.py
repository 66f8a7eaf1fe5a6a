"""Speech recognition by connectionist temporal classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.workload.draws import Maker
from accumcheck.workload.features import AUDIO
from accumcheck.workload.tasks.protocol import TaskSpec
from accumcheck.workload.transcripts import transcript_maker

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from accumcheck.config.model import SyntheticData


def _maker(model: PreTrainedModel, data: SyntheticData) -> Maker:
    # this loss needs one frame per label, and one more between two equal labels
    return transcript_maker(model, data, lambda frames: frames // 2)


TASK = TaskSpec(
    name="ctc",
    fits=lambda head: head.is_one("CTC", "ForCTC", *AUDIO),
    maker=_maker,
)
