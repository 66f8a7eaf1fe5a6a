"""LLaMA-Factory: the program that ``llamafactory-cli train`` starts in every process through torchrun."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from accumcheck.declare.keys import Required, Section, Text
from accumcheck.stacks.programs.start import require_package
from accumcheck.stacks.protocol import OwnKey, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover


@dataclass(frozen=True, slots=True)
class LlamaFactoryConfig(Section):
    """``train`` is the argument of ``llamafactory-cli train``."""

    train: Annotated[
        str,
        Text("the path of a .yaml or .json file", r"\.(yaml|yml|json)$", located="file"),
        Required("train: train.yaml"),
    ]
    """Training file of llamafactory-cli train (relative to the config file). accumcheck sets the batch size, the
    accumulation steps and the number of steps."""


def _start(check: CheckConfig, handover: Handover) -> None:  # noqa: ARG001
    require_package("llamafactory", check.stack)
    sys.argv = ["llamafactory-cli", check.own(LlamaFactoryConfig).train]  # it reads the command line itself
    importlib.import_module("llamafactory.train.tuner").run_exp()


SPEC = ProgramSpec(
    name="llamafactory",
    help="the program that llamafactory-cli train runs in every process",
    package="llamafactory",
    preload=("datasets", "peft", "trl"),  # not LLaMA-Factory itself, because its import looks for GPUs
    own=(
        OwnKey(
            "llamafactory",
            LlamaFactoryConfig | None,
            "With stack: llamafactory, the training file.",
            "llamafactory: {train: train.yaml}",
        ),
    ),
    start=_start,
    title=lambda check: f"llamafactory-cli train {Path(check.own(LlamaFactoryConfig).train).name}",
)
