"""Override the training arguments of a program in ``TrainingArguments`` itself, through which every program makes them.

Command lines, YAML files, calls and subclasses such as TRL's ``SFTConfig`` all end there. The values are set before
``__post_init__``, so the program and all derived settings use them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainingArguments

from accumcheck.capture.patches import Patches, Seam
from accumcheck.record import Split
from accumcheck.runfolder.of_split import SWITCHED_OFF, write_training_arguments
from accumcheck.stacks.programs.refused import check_kind
from accumcheck.stacks.updates.arguments import NOISE, overridden

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig


def settings_of(check: CheckConfig, split: Split, *, output: str, device: str, backend: str) -> dict[str, Any]:
    """The settings that a run under this split needs. All others come from the program or the configuration."""
    return {
        **check.training_arguments,
        "per_device_train_batch_size": split.per_device_train_batch_size,
        "gradient_accumulation_steps": split.gradient_accumulation_steps,
        "auto_find_batch_size": False,
        "max_steps": check.steps,
        "output_dir": output,
        "overwrite_output_dir": True,
        # report every step, and do nothing but train
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "evaluation_strategy": None,  # the old name of the same setting, which some releases still read
        "load_best_model_at_end": False,
        "eval_on_start": False,
        "push_to_hub": False,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": device == "cpu",
        "dataloader_pin_memory": device != "cpu",
        "ddp_backend": backend if split.num_processes > 1 else None,
    }


def override(
    settings: Mapping[str, Any], patches: Patches, made: Callable[[Any], None] = lambda _: None, *, updates: bool
) -> None:
    """Give every ``TrainingArguments`` of this process these settings, if it has such fields.

    Args:
        settings: values by the names of fields.
        patches: undo this.
        updates: whether the program's own updates are run, see `overridden`.
        made: called with each ``TrainingArguments`` that the program makes, after the settings are set.

    Raises:
        UnsupportedProgramError: raised in the program if it makes the arguments of a trainer that cannot be checked.
    """

    def overriding(original: Any) -> Any:
        @functools.wraps(original)
        def with_settings(self: Any) -> None:
            check_kind(type(self))
            noise = [f"{name}: {value}" for name in NOISE if (value := getattr(self, name, None)) is not None]
            vars(self).update({SWITCHED_OFF: ", ".join(noise)} if noise else {})
            asked = {**vars(self), **settings}
            for name, value in {**settings, **overridden(asked, real=updates)}.items():
                if hasattr(self, name):
                    setattr(self, name, value)
            made(self)
            original(self)

        return with_settings

    patches.wrap(Seam.TRAINING_ARGUMENTS, TrainingArguments, overriding)


UNSHARDED: Mapping[str, Any] = {"fsdp": "", "fsdp_config": None, "deepspeed": None}
"""Training arguments under which no release shards the model."""


_OF_SHARDING = ("FSDP_", "ACCELERATE_DEEPSPEED_")
"""How the names of accelerate's environment variables for sharding begin."""


def forget_sharding() -> None:
    """Remove sharding settings from the environment, which ``accelerate launch`` or a job's script may have left."""
    for name in list(os.environ):
        if name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED") or name.startswith(_OF_SHARDING):
            del os.environ[name]


def write_arguments(arguments: Any, folder: Path) -> None:
    """Write those of the program's training arguments that are plain values to the folder of the observations."""
    values = {place.name: getattr(arguments, place.name, None) for place in fields(arguments)}
    plain = {name: value for name, value in values.items() if isinstance(value, (bool, int, float, str))}
    # these are often set by a mapping, or elsewhere
    plain["deepspeed"] = getattr(arguments, "deepspeed_plugin", None) is not None
    if noise := vars(arguments).get(SWITCHED_OFF):
        plain[SWITCHED_OFF] = noise
    write_training_arguments(folder, plain)
