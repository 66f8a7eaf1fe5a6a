"""Fill fields of a config that have no default, but are needed to make a model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_GUESSES: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"experts_per_tok|(^|_)(moe_k|top_?k(_experts)?)$|num_selected_experts"), 2),
    (re.compile(r"(^|_)(num|n)_(\w+_)?experts$"), 4),
    (re.compile(r"^pad_token_id$"), 0),
    (re.compile(r"(^|_)(budget|compress_ratio|block_size|chunk_size)$"), 4),
    (re.compile(r"^sliding_window$"), 16),
    (re.compile(r"heads$"), 4),
    (re.compile(r"head_dim$"), 16),
    (re.compile(r"(rank|state_size)$"), 16),
    (re.compile(r"intermediate_size$"), 128),
)


def fill_fields(part: PretrainedConfig) -> None:
    """Give each such field a small number, or a kind for each layer, according to its name, in place."""
    layers = getattr(part, "num_hidden_layers", None)
    for name, value in list(vars(part).items()):
        if value is not None:
            continue
        if name in ("layer_types", "mlp_layer_types") and isinstance(layers, int):
            _try(part, name, ["full_attention" if name == "layer_types" else "dense"] * layers)
            continue
        for pattern, number in _GUESSES:
            if pattern.search(name):
                _try(part, name, number)
                break


def _try(part: PretrainedConfig, name: str, value: Any) -> None:
    """Set a field unless the config refuses it."""
    try:
        setattr(part, name, value)
    except Exception:  # the check of a config may raise anything
        setattr(part, name, None)


def first_number(part: PretrainedConfig, *names: str) -> int | None:
    """The first of these fields that is a positive integer."""
    fields = vars(part)
    for name in names:
        # a value that differs between layers can only be read from the fields (transformers 5.20)
        value = fields[name] if name in fields else getattr(part, name, None)
        if isinstance(value, int) and value > 0:
            return value
    return None
