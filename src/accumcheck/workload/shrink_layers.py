"""Reduce depths and their lists to few layers, but keep one layer of each kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PretrainedConfig

LAYERS = 2
_MOST = 4

_DEPTH = re.compile(
    r"^(num_hidden_layers|num_layers|n_layers?|depth|num_blocks|(\w+_)?(en|de)coder_layers|\w+_num_hidden_layers"
    r"|num_global_layers|num_self_attends_per_block|num_layers_per_stack|aligner_num_add_layers|num_lstm_layers|\w+_depth|num_stacks)$"
)
_PERIOD = re.compile(r"(_period|_interval|_frequency|every_n_layers|sliding_window_pattern|layer_group_size)$")
_CHOICE = re.compile(r"(feature|vision)_layers?$")
_AT_MOST_ALL = re.compile(r"^(max_window_layers)$")
_LAYER_NUMBERS = re.compile(r"index(es)?$|indices|idxs|layer_ids|_layers$|layer_indices")
_BACKBONE = ("out_indices", "_out_indices")
_SOME_FIRST = re.compile(r"^(first_k_dense_replace|moe_layer_start_index|num_dense_layers|n_dense_layers)$")


def shrink_layers(part: PretrainedConfig, layers: int = LAYERS, *, ranked: bool = False) -> list[int]:
    """Reduce every depth of one config to ``layers``, or to one layer of each kind (at most 4), in place.

    Lists with one entry per layer keep the entries of the kept layers. Lists of layer numbers keep those that exist;
    ``ranked``: lists with at most ``layers`` numbers keep them all, as the first layers in the same order.

    Returns:
        The old numbers of the kept layers; empty for a config without a depth.
    """
    fields = vars(part)
    numbers = _layer_numbers(fields, layers) if ranked else {}
    depths = {name: value for name, value in fields.items() if _DEPTH.search(name) and _whole(value)}
    if not depths:
        for name, value in numbers.items():
            setattr(part, name, value)
        return []
    names = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    main = next((depths[name] for name in names if name in depths), max(depths.values()))
    kept = _kept(fields, main, layers)
    count = len(kept)
    for name, value in list(fields.items()):
        if name in depths:
            setattr(part, name, count if value == main else min(value, layers))
        elif isinstance(value, str) and len(value) == main and set(value) <= set("M*-E|"):
            setattr(part, name, "".join(value[index] for index in kept))
        elif name in numbers:
            setattr(part, name, numbers[name])
        elif isinstance(value, (list, tuple)) and value and name != "id2label":
            setattr(part, name, _list(name, value, main, kept))
        elif _whole(value):
            _number(part, name, value, count)
    _shrink_stages(part, main, count)
    return kept


def _shrink_stages(part: PretrainedConfig, main: int, count: int) -> None:
    """Keep the names of the layers of a backbone that are left, and take its features from the last ones."""
    stages = getattr(part, "stage_names", None)
    if not isinstance(stages, list) or len(stages) != main + 1 or main == count:
        return
    part.stage_names = stages[: count + 1]
    features = vars(part).get("_out_features")
    if features:
        last = min(len(features), count)
        vars(part)["_out_features"] = part.stage_names[-last:]
        vars(part)["_out_indices"] = list(range(count + 1 - last, count + 1))


def _layer_numbers(fields: dict[str, Any], layers: int) -> dict[str, Any]:
    """Short lists of layer numbers, changed to the first layers: ``[3, 6, 9]`` gives ``[0, 1, 2]``."""
    found = {}
    for name, value in fields.items():
        if (
            name in _BACKBONE
            or not _LAYER_NUMBERS.search(name)
            or not isinstance(value, (list, tuple))
            or not 1 < len(value) <= layers
        ):
            continue
        if all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in value):
            ranks = {number: rank for rank, number in enumerate(sorted(set(value)))}
            found[name] = type(value)(ranks[one] for one in value)
    return found


def shrink_layer_choices(part: PretrainedConfig) -> None:
    """Change fields that name layers of another part (``vision_feature_layer``) to kept layers, in place."""
    for name, value in list(vars(part).items()):
        if _CHOICE.search(name) and value is not None:
            items = value if isinstance(value, (list, tuple)) else [value]
            if items and all(isinstance(item, int) for item in items):
                inside = [max(-LAYERS, min(item, LAYERS - 1)) for item in items]
                setattr(part, name, type(value)(inside) if isinstance(value, (list, tuple)) else inside[0])


def _kept(fields: dict[str, Any], main: int, layers: int) -> list[int]:
    """The layers to keep: the first one of each kind, if the config lists kinds."""
    kinds = [
        value
        for value in fields.values()
        if isinstance(value, (list, tuple)) and len(value) == main and len(set(map(str, value))) <= _MOST
    ]
    seen: dict[tuple[Any, ...], int] = {}
    for index, kind in enumerate(zip(*kinds, strict=True)):
        seen.setdefault(tuple(map(str, kind)), index)
    kept = sorted(seen.values())[:_MOST]
    pattern = fields.get("block_types") or []
    least = min(main, max(layers, len(pattern) if len(pattern) < main else 0))
    others = [index for index in range(main) if index not in kept]
    return sorted(kept + others[: max(0, least - len(kept))])


def _list(name: str, value: Any, main: int, kept: list[int]) -> Any:
    same = type(value)
    if len(value) == main and main > len(kept):
        picked = [value[index] for index in kept]
        if all(_whole(item) for item in value) and list(value) == list(range(main)):
            picked = list(range(len(kept)))
        return same(picked)
    if name == "attention_types":  # GPT-Neo's [[kinds, repeats], ...]
        return [[kinds, max(1, len(kept) // len(kinds))] for kinds, _ in value[:1]]
    if not all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        return value
    if _LAYER_NUMBERS.search(name) and max(value) < main:
        inside = sorted({min(item, len(kept) - 1) for item in value})
        return same(inside[-1:])
    return value


def _number(part: PretrainedConfig, name: str, value: int, count: int) -> None:
    if _PERIOD.search(name):
        setattr(part, name, min(value, count))
        offset = re.sub(r"_period$", "_offset", name)
        if offset != name and isinstance(getattr(part, offset, None), int):
            setattr(part, offset, min(getattr(part, offset), count - 1))
    elif _AT_MOST_ALL.search(name):
        setattr(part, name, min(value, count))
    elif _SOME_FIRST.search(name):
        setattr(part, name, min(value, count - 1))
    elif name == "moe_layer_end_index":
        setattr(part, name, count - 1)
    elif name == "num_kv_shared_layers":
        setattr(part, name, 0)
    elif name == "insert_layer_id":
        setattr(part, name, min(value, count - 1))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
