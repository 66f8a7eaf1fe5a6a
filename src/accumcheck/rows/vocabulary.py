"""Which token ids a model can be fed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def embedded_ids(model: PreTrainedModel) -> int | None:
    """The number of ids that a model both embeds and predicts; None for one that takes no token ids."""
    try:
        weight = getattr(model.get_input_embeddings(), "weight", None)
    except (AttributeError, NotImplementedError):  # models of images and sound
        return None
    if weight is None:
        return None
    size = getattr(model.config.get_text_config(), "vocab_size", None)
    return min(size, int(weight.shape[0])) if isinstance(size, int) else int(weight.shape[0])
