"""TRL's script for reward models."""

from __future__ import annotations

from accumcheck.stacks.programs.trl_scripts import trl_spec

SPEC = trl_spec(
    "trl-reward",
    modules=("trl.scripts.reward", "trl.commands.scripts.reward_modeling"),  # the second one in 0.12
    preload="trl.trainer.reward_trainer",
    releases=" (releases 0.13 to 0.23 have no script for reward models)",
)
