"""What an architecture is trained to do, and so which kind of sample it takes."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Literal

from accumcheck.errors import WorkloadError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Task = Literal["causal-text", "image-text"]


def task_of(model: PreTrainedModel) -> Task:
    """Tell the task from what the model's forward takes and from its config.

    Raises:
        WorkloadError: no samples can be made for this architecture.
    """
    takes = inspect.signature(model.forward).parameters
    name = type(model).__name__
    if "labels" not in takes:
        raise WorkloadError(
            f"{name} computes no loss (its forward takes no labels); choose a model.architecture with a head"
        )
    if "input_ids" in takes and model.can_generate() and not model.config.is_encoder_decoder:
        if "pixel_values" in takes:
            return "image-text"
        if not {"input_features", "input_values", "pixel_values_videos"} & set(takes):
            return "causal-text"
    raise WorkloadError(
        f"{name}: no samples can be made for this architecture; supported: causal and vision-language models"
    )
