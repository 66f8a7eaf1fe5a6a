"""What the JSON of ``TrainingArguments`` says (``to_json_string``, ``training_args.json``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accumcheck.starters.training import Told, read_mapping, whole

_B, _K = "per_device_train_batch_size", "gradient_accumulation_steps"
_UPDATE = (
    "learning_rate",
    "lr_scheduler_type",
    "lr_scheduler_kwargs",
    "warmup_ratio",
    "warmup_steps",
    "optim",
    "optim_args",
    "optim_target_modules",
    "weight_decay",
    "adam_beta1",
    "adam_beta2",
    "adam_epsilon",
    "max_grad_norm",
)
GRADIENT_FIELDS = (
    "average_tokens_across_devices",
    "label_smoothing_factor",
    "bf16",
    "fp16",
    "fp16_opt_level",
    "half_precision_backend",
    "gradient_checkpointing",
    "gradient_checkpointing_kwargs",
    "torch_compile",
    "use_liger_kernel",
    "liger_kernel_config",
    "neftune_noise_alpha",
    "group_by_length",
    "train_sampling_strategy",
    "dataloader_drop_last",
    "accelerator_config",
    "parallelism_config",
    "ddp_find_unused_parameters",
    "fsdp",
    "fsdp_config",
    "deepspeed",
)
"""Fields that can change a loss or a gradient."""
KEPT = (*GRADIENT_FIELDS, *_UPDATE)
"""Fields that can change a loss, a gradient or an update."""


def told_by_training_arguments(path: Path) -> Told:
    """What a training's arguments say; fields that do not change a step are left out.

    Raises:
        ConfigError: the file cannot be read, or holds no training arguments.
    """
    what = "the JSON of TrainingArguments, as its to_json_string() writes it"
    told = read_mapping(path, what, (_B, _K, "learning_rate", "max_grad_norm"))
    kept = {name: told[name] for name in KEPT if name in told and _says_something(told[name])}
    if not kept.get("fsdp"):
        kept.pop("fsdp_config", None)
    notes = []
    if (number := len(set(told) - set(kept) - {_B, _K})) > 0:
        notes.append(f"{number} fields that do not change a step (output, logging, saving ...), or are empty")
    if isinstance(kept.get("deepspeed"), str):
        notes.append(f"deepspeed: {kept['deepspeed']} is relative to the working directory")
    facts = [f"{name}: {told[name]}" for name in (_B, _K) if name in told]
    facts.append("training_arguments: its fields that change a loss, a gradient or an update")
    return Told(path, kept, whole(path, told, _B), whole(path, told, _K), facts=tuple(facts), left_out=tuple(notes))


def _says_something(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {}) and not str(value).startswith("<")
