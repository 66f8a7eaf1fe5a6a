"""The settings in the JSON of ``TrainingArguments`` (``to_json_string``, ``training_args.json``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from accumcheck.starters.training import TrainingSettings, read_mapping, whole

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


def settings_of_training_arguments(path: Path) -> TrainingSettings:
    """The settings in training arguments. Fields that do not change an optimizer step are left out.

    Raises:
        ConfigError: the file cannot be read, or has no training arguments.
    """
    what = "the JSON of TrainingArguments, as its to_json_string() writes it"
    content = read_mapping(path, what, (_B, _K, "learning_rate", "max_grad_norm"))
    kept = {name: content[name] for name in KEPT if name in content and _is_set(content[name])}
    if not kept.get("fsdp"):
        kept.pop("fsdp_config", None)
    notes = []
    if (number := len(set(content) - set(kept) - {_B, _K})) > 0:
        notes.append(f"{number} fields that do not change a step (output, logging, saving ...) or are empty")
    if isinstance(kept.get("deepspeed"), str):
        notes.append(f"deepspeed: {kept['deepspeed']} is relative to the working directory")
    facts = [f"{name}: {content[name]}" for name in (_B, _K) if name in content]
    facts.append("training_arguments: its fields that change a loss, a gradient or an update")
    return TrainingSettings(
        path, kept, whole(path, content, _B), whole(path, content, _K), facts=tuple(facts), left_out=tuple(notes)
    )


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and value not in ("", [], {}) and not str(value).startswith("<")
