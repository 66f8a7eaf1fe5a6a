"""Shrink an architecture: make every number of a config small, according to the meaning of its name.

No model is listed here. The name of a field shows whether it is a depth, a number of heads, a width, a number of
experts and so on. Relations that architectures need (heads x head size = width, equal widths in two towers, lists with
one entry per layer, rotary sections) are read from the full-size numbers and preserved.
"""

from __future__ import annotations

import copy
import math
import re
from typing import TYPE_CHECKING, Any

from accumcheck.workload.determinism import sub_configs
from accumcheck.workload.shrink_fill import fill_fields, first_number
from accumcheck.workload.shrink_layers import LAYERS, shrink_layer_choices, shrink_layers
from accumcheck.workload.shrink_rope import section_rope, shrink_rope
from accumcheck.workload.shrink_vision import shrink_vision
from accumcheck.workload.special_ids import move_special_ids

if TYPE_CHECKING:
    from transformers import PretrainedConfig

VOCABULARY = 256
HEADS = 4
HEAD_DIM = 16
HIDDEN = HEADS * HEAD_DIM
FEED_FORWARD = 2 * HIDDEN
POSITIONS = 1024
SOUND = 32  # positions of a speech encoder: two frames of a spectrogram each
RANK = 16
WINDOW = 16

QUERIES = 16
POINTS = 64

_QUERIES = re.compile(r"^(num_queries|num_object_queries|num_latents)$")
"""The names of the number of vectors that a decoder asks with: the objects of an image, or a summary of the input."""
_POINTS = re.compile(r"^(train_)?num_points$")
"""The names of the number of points of a mask at which a loss is computed."""

_STAGES = re.compile(r"^(depths?|num_blocks|layer_depths|num_block_repeats|stage_num_blocks)$")
"""The names of lists with the number of layers of each stage."""
_PER_STAGE = 3
"""The most layers of a stage: layers with and without shifted windows (Swin), and one more than stages before (CvT)."""
_OWN_WIDTH = ("hidden_size", "d_model", "n_embd", "embed_dim", "emb_dim", "dim", "hidden_dim")
_HEADS = re.compile(r"(^|_)(n_?heads?|heads|num_query_groups)(_per_layer)?$")
_KEY_VALUE = re.compile(r"kv|key_value|query_groups")
_HEAD_DIM = re.compile(r"head_?(dim|size)|^d_kv$|^d_head$|dim_head|kv_channels|_d_head$|^d_rel$")
_STATE_SPACE_HEAD = re.compile(r"mamba_?(d_)?head|mamba_headdim|^head_dim$")
_RANK = re.compile(r"rank|(^|_)(d_state|state_size)$")
_WINDOWS = ("sliding_window", "sliding_window_size", "local_attention", "attention_window_size")
_GROUPS = ("n_group", "num_expert_group", "n_groups", "mamba_n_groups", "mamba_ngroups")
_HIDDEN = re.compile(
    r"(^|_)(hidden_size(_\w+)?|d_model|n_embd|embed_dim|emb_dim|embedding_dim|embedding_size|hidden_dim|word_embed_proj_dim)$"
    r"|^(lru_width|projection_dim|dim|hidden_sizes|hidden_dims|d_latents)$"
)
_WIDTH = re.compile(r"(size|sizes|dim|dims|width|channels?|inner|d_ssm|d_ff|dff|n_embd|d_model)$|_dim_|_size_per_")
_NO_WIDTH = re.compile(
    r"vocab|image|img|patch|kernel|window|chunk|batch|group|block_size|codebook_size|merge|crop|num_channels|in_channels"
    r"|audio_channels|grid|step|max_|parallel|divisible|feature_size|input_size|chunksize|ngram|mel|rank|buckets"
    r"|state_dim|action_dim"
)
_CHANNELS = re.compile(r"(^|_)(in|out|mid|stem|stage|feat)_channels$")
_EXPERTS = re.compile(r"(^|_)(num|n)_(\w+_)?experts$|^num_experts$|expert_num$")
_PER_TOKEN = re.compile(r"experts_per_tok|(^|_)(moe_k|top_?k(_experts)?)$|num_selected_experts")
_POSITIONS = re.compile(r"^(max_position_embeddings|n_positions|n_ctx|max_seq_len|seq_len(gth)?|max_sequence_length)$")


def shrink(
    config: PretrainedConfig, *, layers: int = LAYERS, ranked: bool = False, fill: bool = False
) -> PretrainedConfig:
    """A tiny copy of ``config``: about 2 layers, width 64, 4 heads of 16, 4 experts, 256 token ids, 4 image patches.

    Args:
        config: the full-size config. It is not changed.
        layers: the smallest number of layers to keep.
        ranked: keep all numbers of short lists of layers, see `shrink_layers`.
        fill: give a value to fields without a default, if their names show their meaning.

    Returns:
        A config of the same class. Its model has the same modules, but fewer and narrower ones.
    """
    small = copy.deepcopy(config)
    hidden = {value for part in sub_configs(small) for name, value in _numbers(part) if name in _OWN_WIDTH}
    vocabularies = [value for part in sub_configs(small) for name, value in _numbers(part) if name == "vocab_size"]
    shrink_vision(small)
    sectioned = any("spatial_merge_size" in vars(part) for part in sub_configs(small))
    for part in sub_configs(small):
        overrides = _layer_overrides(part)
        before = dict(vars(part))
        kept = shrink_layers(part, layers, ranked=ranked)
        shrink_layer_choices(part)
        shrink_stages(part)
        _shrink_widths(part, hidden)
        shrink_rope(part, before, width=HIDDEN, head_dim=HEAD_DIM)
        if sectioned and "vocab_size" in before:
            section_rope(part, head_dim=HEAD_DIM)
        shrink_experts(part)
        _shrink_lengths(part, before)
        _restore_overrides(part, overrides, before, kept)
        _fill(part)
        if fill:
            fill_fields(part)
    shrink_vocabulary(small, vocabularies)
    return small


def is_width(name: str) -> bool:
    """Whether a field with this name holds widths: of layers, heads or the channels of a stage."""
    of_layers = _HIDDEN.search(name) or (_WIDTH.search(name) and not _NO_WIDTH.search(name))
    return bool(of_layers or _HEAD_DIM.search(name) or _CHANNELS.search(name))


def shrink_vocabulary(config: PretrainedConfig, vocabularies: list[int]) -> None:
    """Reduce every vocabulary in place, and move the special ids into it; ``vocabularies``: the sizes before."""
    for part in sub_configs(config):
        for name, value in _numbers(part):
            if "vocab" in name and value > VOCABULARY:
                setattr(part, name, VOCABULARY)
        if "vocab_size" in vars(part) and part.vocab_size is None:
            part.vocab_size = VOCABULARY  # some configs leave it to their tokenizer
    move_special_ids(config, min([VOCABULARY, *vocabularies]))


def _fill(part: PretrainedConfig) -> None:
    """Give numbers without a default a value that follows from the others, in place."""
    fields = vars(part)
    heads = first_number(part, "num_attention_heads", "n_head", "num_heads", "n_heads")
    width = first_number(part, *_OWN_WIDTH)
    if "head_dim" in fields and fields["head_dim"] is None and heads and width:
        part.head_dim = width // heads
    if "sliding_attention" in (fields.get("layer_types") or ()) and getattr(part, "sliding_window", 0) is None:
        part.sliding_window = WINDOW
    experts = any(_EXPERTS.search(name) and isinstance(value, int) for name, value in fields.items())
    for name, value in list(fields.items()):
        if value is None and experts and _PER_TOKEN.search(name):
            setattr(part, name, 2)


def _layer_overrides(part: PretrainedConfig) -> dict[int, dict[str, Any]]:
    """Remove and return the values of single layers (``per_layer_config``, from transformers 5.20)."""
    spec = vars(part).get("_heterogeneity_spec")
    if spec is None:
        return {}
    part.per_layer_config = None
    return dict(spec.per_layer_overrides)


def _restore_overrides(
    part: PretrainedConfig, overrides: dict[int, dict[str, Any]], before: dict[str, Any], kept: list[int]
) -> None:
    """Restore the values of the kept layers, in the same proportion to those of the config as before."""
    own: dict[int, dict[str, Any]] = {}
    for position, layer in enumerate(kept):
        for name, value in overrides.get(layer, {}).items():
            base, now = before.get(name), getattr(part, name, None)
            if isinstance(value, int) and isinstance(base, int) and isinstance(now, int) and base > 0:
                value = max(1, value * now // base)
            own.setdefault(position, {})[name] = value
    if own:
        part.per_layer_config = own


def _numbers(part: PretrainedConfig) -> list[tuple[str, int]]:
    """The fields of a config that are positive integers."""
    return [
        (name, value)
        for name, value in vars(part).items()
        if isinstance(value, int) and not isinstance(value, bool) and value > 0
    ]


def shrink_stages(part: PretrainedConfig, most: int = _PER_STAGE) -> bool:
    """Keep at most so many layers of each stage, in place. Returns whether there are stages."""
    found = False
    for name, value in list(vars(part).items()):
        stages = _STAGES.search(name) and isinstance(value, (list, tuple)) and value
        if stages and all(isinstance(one, int) for one in value):
            setattr(part, name, type(value)(min(one, most) for one in value))
            found = True
    times = vars(part).get("depth_coefficient")
    if found and isinstance(times, float) and times > 1:  # EfficientNet has so many times these layers
        part.depth_coefficient = 1.0
    return found


def _shrink_widths(part: PretrainedConfig, hidden: set[int]) -> None:
    own = first_number(part, *_OWN_WIDTH)
    heads = first_number(part, "num_attention_heads", "n_head", "num_heads", "n_heads", "attention_heads") or HEADS
    inner = (first_number(part, "expand", "mamba_expand", "mamba_hidden_expand") or 0) * HIDDEN
    state_space = inner > 0 and any(_STATE_SPACE_HEAD.search(name) for name in vars(part))
    new: dict[str, Any] = {}
    for name, value in vars(part).items():
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if not values or not all(isinstance(item, int) and not isinstance(item, bool) and item > 0 for item in values):
            continue
        if _HEADS.search(name):
            if state_space and ("mamba" in name or name == "num_heads"):
                small = [inner // HEAD_DIM] * len(values)
            else:
                small = [_heads(name, item, heads) for item in values]
        elif _HEAD_DIM.search(name):
            alone = state_space and ("mamba" in name or name == "head_dim")
            small = [HEAD_DIM if alone else _head_dim(item, heads, own) for item in values]
        elif _RANK.search(name):
            small = [min(item, RANK) for item in values]
        elif _HIDDEN.search(name) or (_WIDTH.search(name) and not _NO_WIDTH.search(name)):
            small = [_width(name, item, own, hidden) for item in values]
        else:
            continue
        new[name] = small[0] if not isinstance(value, (list, tuple)) else type(value)(small)
    if isinstance(getattr(part, "time_step_rank", None), int):
        new["time_step_rank"] = math.ceil(HIDDEN / 16)
    fields = vars(part)
    parts = [fields.get(name) for name in ("qk_nope_head_dim", "qk_rope_head_dim")]
    whole = all(isinstance(value, int) for value in parts) and fields.get("head_dim") == sum(parts)
    for name, value in new.items():
        setattr(part, name, value)
    if {"qk_nope_head_dim", "qk_rope_head_dim"} <= set(new):  # multi-head latent attention: part of a head is rotary
        part.qk_nope_head_dim = part.qk_rope_head_dim = HEAD_DIM // 2
        if "qk_head_dim" in new:
            part.qk_head_dim = HEAD_DIM
        if "head_dim" in new:
            part.head_dim = HEAD_DIM if whole else HEAD_DIM // 2


def _heads(name: str, value: int, heads: int) -> int:
    if name.startswith("linear_"):
        return max(1, value * HEADS // heads)
    if _KEY_VALUE.search(name):
        return 1 if value == 1 else HEADS if value >= heads else 2
    return 2 if value == 3 else min(HEADS, value)  # the new widths are multiples of 2 and 4, but not of 3


def _head_dim(value: int, heads: int, own: int | None) -> int:
    if own is not None and (heads * value) % own == 0:
        return heads * value // own * HIDDEN // min(HEADS, heads)
    return HEAD_DIM


def _width(name: str, value: int, own: int | None, hidden: set[int]) -> int:
    if value in hidden:
        return HIDDEN
    if own is not None and value % own == 0 and value // own <= 8:
        return value // own * HIDDEN
    return HIDDEN if _HIDDEN.search(name) else min(value, FEED_FORWARD)


def shrink_experts(part: PretrainedConfig) -> None:
    """Reduce to at most four experts, and two per token, in place."""
    for name, value in _numbers(part):
        if name == "top_k" and value == 50:  # the default of text generation, which is in the config of old releases
            continue
        if _EXPERTS.search(name) and "shared" not in name:
            setattr(part, name, min(value, 4))
        elif "shared_experts" in name:
            setattr(part, name, 1)
        elif (_PER_TOKEN.search(name) and "index" not in name) or name in _GROUPS:
            setattr(part, name, min(value, 2))
        elif name == "topk_group":
            setattr(part, name, 1)


def _shrink_lengths(part: PretrainedConfig, before: dict[str, Any]) -> None:
    """Reduce learned position tables and attention windows. Rotary positions need no table and keep their range.

    Sounds become as short as the encoder allows. There are fewer queries of a decoder, and fewer points of a mask.
    """
    rotary = any(name.startswith(("rope_", "rotary_")) and value for name, value in before.items())
    for name, value in _numbers(part):
        if _POSITIONS.search(name) and not rotary:
            setattr(part, name, min(value, POSITIONS))
        elif name == "max_source_positions" and "num_mel_bins" in before:
            setattr(part, name, min(value, SOUND))
        elif _QUERIES.search(name):
            setattr(part, name, min(value, QUERIES))
        elif _POINTS.search(name):
            setattr(part, name, min(value, POINTS))
        elif name in _WINDOWS and before.get("use_sliding_window") is not False:
            setattr(part, name, min(value, WINDOW))
