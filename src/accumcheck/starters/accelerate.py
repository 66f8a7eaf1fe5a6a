"""What a configuration file of ``accelerate launch`` says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from accumcheck.starters.deepspeed import deepspeed_arguments, told_by_deepspeed
from accumcheck.starters.training import Told, read_mapping, whole

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
"""accelerate's names and those of ``fsdp_config`` in TrainingArguments."""
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
"""What ``fsdp_sharding_strategy``, or ``fsdp_reshard_after_forward``, is in TrainingArguments' ``fsdp``."""


def told_by_accelerate(path: Path) -> Told:
    """What accelerate's configuration says: processes, mixed precision, FSDP or DeepSpeed.

    Raises:
        ConfigError: the file cannot be read, or is not a configuration of accelerate.
    """
    what = "a configuration of accelerate launch, as accelerate config writes it"
    told = read_mapping(path, what, ("distributed_type", "num_processes", "mixed_precision"))
    arguments: dict[str, Any] = {}
    notes: list[str] = []
    facts = [f"{name}: {told[name]}" for name in _FACTS if name in told]
    precision = str(told.get("mixed_precision", "no")).lower()
    if precision in ("bf16", "fp16"):
        arguments[precision] = True
    elif precision not in ("no", "none", "false"):
        notes.append(f"mixed_precision: {precision} cannot be checked")
    kind = str(told.get("distributed_type", "NO")).upper()
    inner = _mapping(told, "deepspeed_config")
    k = whole(path, inner, _K)
    if kind == "FSDP":
        arguments |= _fsdp(_mapping(told, "fsdp_config"))
        notes.append("Trainer shards on GPUs only")
    elif kind == "DEEPSPEED":
        more = _deepspeed(path, inner)
        notes += [*more.left_out, *(f"mixed_precision: {one}, as above" for one in arguments)]
        arguments = dict(more.arguments)
        k = k or more.accumulation
    elif kind in ("MEGATRON_LM", "TP") or told.get("parallelism_config"):
        notes.append(f"{kind.lower()}: a model that is itself spread over processes cannot be checked")
    notes.append("the batch size of one process: accelerate does not know it; see splits")
    return Told(path, arguments, None, k, whole(path, told, "num_processes"), tuple(facts), tuple(notes))


def _deepspeed(path: Path, inner: Mapping[str, Any]) -> Told:
    file = inner.get("deepspeed_config_file")
    if isinstance(file, str) and file not in ("", "none"):
        return told_by_deepspeed(path.parent / file if not Path(file).exists() else Path(file))
    zero: dict[str, Any] = {"stage": inner.get("zero_stage", 2)}
    for device in ("optimizer", "param"):
        if str(inner.get(f"offload_{device}_device", "none")) != "none":
            zero[f"offload_{device}"] = {"device": inner[f"offload_{device}_device"]}
    given = {"zero_optimization": zero, "gradient_clipping": inner.get("gradient_clipping")}
    arguments, notes = deepspeed_arguments({name: one for name, one in given.items() if one not in (None, "auto")})
    return Told(path, arguments, left_out=(*notes, "DeepSpeed runs on GPUs only, and must be installed"))


def _fsdp(told: Mapping[str, Any]) -> dict[str, Any]:
    strategy = str(told.get("fsdp_sharding_strategy", told.get("fsdp_reshard_after_forward", "FULL_SHARD")))
    wraps = str(told.get("fsdp_auto_wrap_policy", "NO_WRAP")) != "NO_WRAP"
    config = {ours: told[name] for name, ours in _FSDP.items() if told.get(name) is not None}
    layers = config.get("transformer_layer_cls_to_wrap")
    if isinstance(layers, str):
        config["transformer_layer_cls_to_wrap"] = [one.strip() for one in layers.split(",")]
    shards = _STRATEGIES.get(strategy.lower(), "full_shard")
    return {"fsdp": f"{shards} auto_wrap" if wraps else shards, **({"fsdp_config": config} if config else {})}


def _mapping(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, Mapping) else {}
