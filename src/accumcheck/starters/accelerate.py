"""The settings in a configuration file of ``accelerate launch``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accumcheck.starters.deepspeed import deepspeed_arguments, settings_of_deepspeed
from accumcheck.starters.training import TrainingSettings, read_mapping, whole

_K = "gradient_accumulation_steps"
_FACTS = ("distributed_type", "num_processes", "mixed_precision")
_FSDP = {
    "fsdp_version": "version",
    "fsdp_transformer_layer_cls_to_wrap": "transformer_layer_cls_to_wrap",
    "fsdp_min_num_params": "min_num_params",
    "fsdp_reshard_after_forward": "reshard_after_forward",
    "fsdp_use_orig_params": "use_orig_params",
    "fsdp_backward_prefetch": "backward_prefetch",
    "fsdp_sync_module_states": "sync_module_states",
    "fsdp_activation_checkpointing": "activation_checkpointing",
}
"""accelerate's names, and the names in ``fsdp_config`` of TrainingArguments."""
_STRATEGIES = {
    "1": "full_shard",
    "2": "shard_grad_op",
    "4": "hybrid_shard",
    "full_shard": "full_shard",
    "shard_grad_op": "shard_grad_op",
    "hybrid_shard": "hybrid_shard",
    "true": "full_shard",
    "false": "shard_grad_op",
}
"""The value of ``fsdp`` in TrainingArguments for each ``fsdp_sharding_strategy`` or ``fsdp_reshard_after_forward``."""


def settings_of_accelerate(path: Path) -> TrainingSettings:
    """The settings in accelerate's configuration: processes, mixed precision, FSDP or DeepSpeed.

    Raises:
        ConfigError: the file cannot be read, or is not a configuration of accelerate.
    """
    what = "a configuration of accelerate launch, as accelerate config writes it"
    content = read_mapping(path, what, ("distributed_type", "num_processes", "mixed_precision"))
    arguments: dict[str, Any] = {}
    notes: list[str] = []
    facts = [f"{name}: {content[name]}" for name in _FACTS if name in content]
    precision = str(content.get("mixed_precision", "no")).lower()
    if precision in ("bf16", "fp16"):
        arguments[precision] = True
    elif precision not in ("no", "none", "false"):
        notes.append(f"mixed_precision: {precision} cannot be checked")
    kind = str(content.get("distributed_type", "NO")).upper()
    inner = _mapping(content, "deepspeed_config")
    k = whole(path, inner, _K)
    if kind == "FSDP":
        arguments |= _fsdp(_mapping(content, "fsdp_config"))
        notes.append("Trainer shards only on GPUs")
    elif kind == "DEEPSPEED":
        more = _deepspeed(path, inner)
        notes += [*more.left_out, *(f"mixed_precision: {one}, as above" for one in arguments)]
        arguments = dict(more.arguments)
        k = k or more.accumulation
    elif kind in ("MEGATRON_LM", "TP") or content.get("parallelism_config"):
        notes.append(f"{kind.lower()}: a model that is split across processes cannot be checked")
    notes.append("the batch size per process is not in accelerate's file; see splits")
    return TrainingSettings(path, arguments, None, k, whole(path, content, "num_processes"), tuple(facts), tuple(notes))


def _deepspeed(path: Path, inner: Mapping[str, Any]) -> TrainingSettings:
    file = inner.get("deepspeed_config_file")
    if isinstance(file, str) and file not in ("", "none"):
        return settings_of_deepspeed(path.parent / file if not Path(file).exists() else Path(file))
    zero: dict[str, Any] = {"stage": inner.get("zero_stage", 2)}
    for device in ("optimizer", "param"):
        if str(inner.get(f"offload_{device}_device", "none")) != "none":
            zero[f"offload_{device}"] = {"device": inner[f"offload_{device}_device"]}
    given = {"zero_optimization": zero, "gradient_clipping": inner.get("gradient_clipping")}
    arguments, notes = deepspeed_arguments({name: one for name, one in given.items() if one not in (None, "auto")})
    return TrainingSettings(path, arguments, left_out=(*notes, "DeepSpeed runs only on GPUs and must be installed"))


def _fsdp(content: Mapping[str, Any]) -> dict[str, Any]:
    strategy = str(content.get("fsdp_sharding_strategy", content.get("fsdp_reshard_after_forward", "FULL_SHARD")))
    wraps = str(content.get("fsdp_auto_wrap_policy", "NO_WRAP")) != "NO_WRAP"
    config = {ours: content[name] for name, ours in _FSDP.items() if content.get(name) is not None}
    layers = config.get("transformer_layer_cls_to_wrap")
    if isinstance(layers, str):
        config["transformer_layer_cls_to_wrap"] = [one.strip() for one in layers.split(",")]
    shards = _STRATEGIES.get(strategy.lower(), "full_shard")
    return {"fsdp": f"{shards} auto_wrap" if wraps else shards, **({"fsdp_config": config} if config else {})}


def _mapping(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = content.get(name)
    return found if isinstance(found, Mapping) else {}
