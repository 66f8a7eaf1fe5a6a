"""TRL's script for supervised fine-tuning."""

from __future__ import annotations

from accumcheck.stacks.programs.trl_scripts import trl_spec

SPEC = trl_spec(
    "trl-sft",
    modules=("trl.scripts.sft", "trl.commands.scripts.sft"),  # the second one in 0.12
    preload="trl.trainer.sft_trainer",
)
