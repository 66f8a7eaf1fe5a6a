"""The sections that name a program: a stack that brings its own model and data has one of them."""

from __future__ import annotations

from accumcheck.config.kinds import Text, Texts
from accumcheck.config.model import LlamaFactoryConfig, ScriptConfig, TrlConfig
from accumcheck.config.sections import Field, Section

EXAMPLES = {
    "script": "script: {path: train.py}",
    "callable": "callable: my_package:build_trainer",
    "trl": "trl: {arguments: [--config, sft.yaml]}",
    "llamafactory": "llamafactory: {train: train.yaml}",
}
"""By key, what to write."""

_SET_BY_US = "batch size, accumulation and steps are set by accumcheck."

SCRIPT = Section(
    into=ScriptConfig,
    fields=(
        Field("path", Text("the path of a Python file"), "Training script, as python takes it.", nullable=True),
        Field(
            "module",
            Text("a module, for example trl.scripts.sft", pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"),
            "Training program, as python -m takes it.",
            nullable=True,
        ),
        Field("arguments", Texts(), f"Its command line; {_SET_BY_US}"),
    ),
)

TRL = Section(
    into=TrlConfig,
    fields=(
        Field(
            "arguments",
            Texts("a list of words, for example [--config, sft.yaml]"),
            f"Command line of trl.scripts.sft, dpo or reward, whichever the stack is; {_SET_BY_US}",
            example="arguments: [--config, sft.yaml]",
        ),
    ),
)

LLAMAFACTORY = Section(
    into=LlamaFactoryConfig,
    fields=(
        Field(
            "train",
            Text("the path of a .yaml or .json file", pattern=r"\.(yaml|yml|json)$"),
            f"Training file of llamafactory-cli train (relative to the config file); {_SET_BY_US}",
            example="train: train.yaml",
        ),
    ),
)
