"""LLaMA-Factory: what ``llamafactory-cli train`` has torchrun run in every process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck.stacks.programs.start import require_package
from accumcheck.stacks.protocol import Key, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover


def _start(check: CheckConfig, handover: Handover) -> None:  # noqa: ARG001
    require_package("llamafactory", check.stack)
    sys.argv = ["llamafactory-cli", _file(check)]  # it reads the command line itself
    importlib.import_module("llamafactory.train.tuner").run_exp()


def _file(check: CheckConfig) -> str:
    assert check.llamafactory is not None
    return check.llamafactory.train


SPEC = ProgramSpec(
    name="llamafactory",
    help="what llamafactory-cli train runs in every process",
    package="llamafactory",
    preload=("datasets", "peft", "trl"),  # not LLaMA-Factory itself, which looks for GPUs while it is imported
    keys=(
        Key(
            name="llamafactory",
            holds="section",
            help="With stack: llamafactory, what to train.",
            example="llamafactory: {train: train.yaml}",
            required=True,
            keys=(
                Key(
                    name="train",
                    holds="file",
                    help="Training file of llamafactory-cli train (relative to the config file); batch size, "
                    "accumulation and steps are set by accumcheck.",
                    example="train: train.yaml",
                    required=True,
                    endings=(".yaml", ".yml", ".json"),
                ),
            ),
        ),
    ),
    start=_start,
    title=lambda check: f"llamafactory-cli train {Path(_file(check)).name}",
)
