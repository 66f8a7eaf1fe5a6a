"""The training arguments of a program, overridden where every program makes them: in ``TrainingArguments`` itself.

Command lines, YAML files and calls all end there, subclasses such as TRL's ``SFTConfig`` too. What is set before
``__post_init__`` is what the program reads from then on, and what all derived settings follow.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from transformers import TrainingArguments

from accumcheck.config.model import CheckConfig
from accumcheck.record import Split
from accumcheck.stacks.trainer import NEVER_CLIPS


def settings_of(check: CheckConfig, split: Split, *, output: str, device: str, backend: str) -> dict[str, Any]:
    """What a run under this split needs; the rest is the program's own, or the configuration's."""
    return {
        **check.training_arguments,
        "per_device_train_batch_size": split.per_device_train_batch_size,
        "gradient_accumulation_steps": split.gradient_accumulation_steps,
        "auto_find_batch_size": False,
        "max_steps": check.steps,
        "output_dir": output,
        "overwrite_output_dir": True,
        # weights are held still: every step is a test of its own
        "learning_rate": 0.0,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "warmup_ratio": 0.0,
        "optim": "sgd",
        "weight_decay": 0.0,
        "max_grad_norm": NEVER_CLIPS,
        # every step is reported, and nothing but training is done
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "evaluation_strategy": None,  # the same by its old name, which some releases still read
        "load_best_model_at_end": False,
        "eval_on_start": False,
        "push_to_hub": False,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device != "cpu",
        "ddp_backend": backend if split.num_processes > 1 else None,
    }


def override(settings: Mapping[str, Any]) -> None:
    """From now on every ``TrainingArguments`` of this process has these settings, where it has such fields."""
    original: Any = TrainingArguments.__post_init__

    @functools.wraps(original)
    def with_settings(self: Any) -> None:
        for name, value in settings.items():
            if hasattr(self, name):
                setattr(self, name, value)
        original(self)

    TrainingArguments.__post_init__ = with_settings
