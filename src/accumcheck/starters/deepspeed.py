"""The settings in a DeepSpeed configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accumcheck.starters.training import TrainingSettings, read_mapping, whole

_B, _K, _ALL = "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size"
_OPTIMIZER = {"lr": "learning_rate", "eps": "adam_epsilon", "weight_decay": "weight_decay"}
_NOT_CHECKED = ("offload_optimizer", "offload_param", "zenflow")
_BY_THE_SPLIT = dict.fromkeys((_B, _K, _ALL), "auto")


def settings_of_deepspeed(path: Path) -> TrainingSettings:
    """The settings in a DeepSpeed configuration. Batch sizes become ``auto``, so that each split sets its own.

    Raises:
        ConfigError: the file cannot be read, or is not a DeepSpeed configuration.
    """
    content = read_mapping(path, "a DeepSpeed configuration (JSON)", (_B, _K, _ALL, "zero_optimization"))
    arguments, left_out = deepspeed_arguments(content)
    b, k, whole_batch = (whole(path, content, name) for name in (_B, _K, _ALL))
    facts = [f"{name}: {content[name]}" for name in (_B, _K, _ALL) if name in content]
    facts.append("deepspeed: all keys; batch sizes, clipping and rates are set by Trainer (auto)")
    notes = [*left_out, "DeepSpeed runs only on GPUs and must be installed (or: --with deepspeed==VERSION)"]
    if whole_batch is not None and (b is None or k is None):
        notes.append(f"{_ALL} {whole_batch} is for all processes of your cluster; set global_batch_size yourself")
    return TrainingSettings(path, arguments, b, k, facts=tuple(facts), left_out=tuple(notes))


def deepspeed_arguments(content: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The training arguments for a DeepSpeed configuration, and notes on what was not kept.

    Numbers that are also fields of TrainingArguments are moved there, because transformers refuses different values.
    """
    kept = {name: value for name, value in content.items() if name not in ("steps_per_print", "wall_clock_breakdown")}
    kept |= _BY_THE_SPLIT
    arguments: dict[str, Any] = {}
    notes = []
    if _number(content.get("gradient_clipping")):
        arguments["max_grad_norm"] = content["gradient_clipping"]
        kept["gradient_clipping"] = "auto"
    zero = dict(content.get("zero_optimization") or {})
    if dropped := [name for name in _NOT_CHECKED if zero.pop(name, None) is not None]:
        notes.append(f"{', '.join(dropped)}: offloading cannot be checked, so the check trains without it")
    if zero:
        kept["zero_optimization"] = zero
    optimizer = dict(content.get("optimizer") or {})
    params = dict(optimizer.get("params") or {})
    for name, field in _OPTIMIZER.items():
        if _number(params.get(name)):
            arguments[field] = params[name]
            params[name] = "auto"
    betas = params.get("betas")
    if isinstance(betas, list) and len(betas) == 2 and all(map(_number, betas)):
        arguments |= {"adam_beta1": betas[0], "adam_beta2": betas[1]}
        params["betas"] = "auto"
    if optimizer:
        kept["optimizer"] = {**optimizer, "params": params}
    if kept.pop("scheduler", None) is not None:
        notes.append("scheduler: the check keeps the weights fixed under DeepSpeed, so no schedule runs")
    for dtype in ("bf16", "fp16"):
        section = kept.pop(dtype, None)
        if isinstance(section, Mapping) and section.get("enabled") is True:
            notes.append(
                f"{dtype}: DeepSpeed casts the weights and the reference cannot; set dtype under model instead"
            )
    return {**arguments, "deepspeed": kept}, notes


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
