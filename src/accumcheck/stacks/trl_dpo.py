"""TRL's script for direct preference optimization."""

from __future__ import annotations

from accumcheck.stacks.programs.trl_scripts import trl_spec

SPEC = trl_spec(
    "trl-dpo",
    modules=("trl.scripts.dpo", "trl.commands.scripts.dpo"),  # the second one in 0.12
    preload="trl.trainer.dpo_trainer",
)
