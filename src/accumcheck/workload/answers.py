"""Give a config what its model class says it needs. The class's own error names the field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from accumcheck.workload.determinism import sub_configs

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_THETA = 10_000.0
_MISSING = re.compile(r"^'(\w+)' object has no attribute '(\w+)'")
_INDIVISIBLE = re.compile(r"must be divisible by num_heads \((\d+)\)")
_LIST_OF = re.compile(r"config\.(\w+) to be a list of (\d+) integers")


def answer(config: PretrainedConfig, complaint: BaseException) -> bool:
    """Change the config in place.

    Args:
        config: the config of a shrunk model.
        complaint: the exception with which its class refused it.

    Returns:
        Whether the config was changed, so that it is worth another try.
    """
    if isinstance(complaint, KeyError):
        return _rotary_kinds(config, str(complaint.args[0] if complaint.args else ""))
    text = str(complaint)
    return _layer_numbers(config, text) or _missing_field(config, text) or _single_head(config, text)


def _layer_numbers(config: PretrainedConfig, text: str) -> bool:
    """A list of so many layers, for example those from which a head takes its features."""
    found = _LIST_OF.search(text)
    if found is None:
        return False
    name, count = found.group(1), int(found.group(2))
    numbers = list(range(1, count + 1))
    for part in sub_configs(config):
        if hasattr(part, name) and list(getattr(part, name) or []) != numbers:
            depth = getattr(part, "num_hidden_layers", None)
            if isinstance(depth, int):
                part.num_hidden_layers = max(depth, count)
            if isinstance(getattr(part, "stage_names", None), list):
                part.stage_names = ["stem", *(f"stage{number}" for number in range(1, max(depth or 0, count) + 1))]
            setattr(part, name, numbers)
            return True
    return False


def _missing_field(config: PretrainedConfig, text: str) -> bool:
    """A field that a part of the config lacks: the value of another part, or one that its name gives."""
    found = _MISSING.search(text)
    if found is None:
        return False
    kind, name = found.groups()
    heads = getattr(config, "num_attention_heads", None)
    known = {"rope_theta": _THETA, "num_key_value_heads": heads, "is_decoder": True}
    values = [getattr(part, name, None) for part in sub_configs(config)]
    value = next((one for one in values if one is not None), known.get(name))
    wanting = [part for part in sub_configs(config) if type(part).__name__ == kind and not hasattr(part, name)]
    for part in wanting if value is not None else ():
        setattr(part, name, value)
    return bool(wanting) and value is not None


def _single_head(config: PretrainedConfig, text: str) -> bool:
    """One head where the width does not divide by their number."""
    found = _INDIVISIBLE.search(text)
    changed = False
    for part in sub_configs(config) if found is not None else ():
        for name, value in list(vars(part).items()):
            if name.endswith("_heads") and found is not None and value == int(found.group(1)) > 1:
                setattr(part, name, 1)
                changed = True
    return changed


def _rotary_kinds(config: PretrainedConfig, kind: str) -> bool:
    """Rotary parameters for each kind of layer, where the config has one set for all."""
    for part in sub_configs(config):
        rope, kinds = getattr(part, "rope_parameters", None), getattr(part, "layer_types", None)
        if isinstance(rope, dict) and kinds and kind in kinds and kind not in rope:
            of_each = {"rope_type": "default", "rope_theta": _THETA, **rope}
            part.rope_parameters = {one: dict(of_each) for one in dict.fromkeys(kinds)}
            return True
    return False
