"""Files that are not the configuration of a check, but are taken for one: what they are, and what to do with them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from pathlib import Path

_INIT = (
    "expected the configuration of a check. Write one with accumcheck init {option} {path}, then run "
    "accumcheck run check.yaml"
)
_SHELL = "this is a shell script; give the Python file that it starts: accumcheck init --script FILE.py -- ARGUMENTS"

_TOOLS = (
    ("a training file of LLaMA-Factory", "--from-llamafactory", {"stage", "template", "finetuning_type"}, 2),
    ("a configuration of accelerate launch", "--from-accelerate", {"compute_environment", "distributed_type"}, 1),
    ("a configuration of DeepSpeed", "--from-deepspeed", {"zero_optimization", "train_micro_batch_size_per_gpu"}, 1),
    ("a file with TrainingArguments", "--from-training-arguments", {"output_dir", "per_device_train_batch_size"}, 2),
)
"""What a file is, the option of ``init`` that reads it, keys of such files, and how many of them a file must have."""


def by_its_name(path: Path) -> str:
    """What a script is; empty for other files."""
    if path.suffix == ".py":
        return f"this is a Python script; {_INIT.format(option='--script', path=_quoted(path))}"
    return _SHELL if path.suffix in (".sh", ".bash") else ""


def by_its_keys(text: str, path: Path) -> str:
    """What a file of another tool, or a saved report, is; empty if it may be meant as the configuration of a check.

    Args:
        text: the content of the file.
        path: the file, for the message.
    """
    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return ""
    if not isinstance(content, dict) or "global_batch_size" in content:
        return ""
    keys = set(content)
    if "schema_version" in keys:
        return f"this is a saved report; accumcheck show {_quoted(path)} shows it"
    found = ((what, option) for what, option, names, least in _TOOLS if len(names & keys) >= least)
    what, option = next(found, ("", ""))
    return f"this is {what}; {_INIT.format(option=option, path=_quoted(path))}" if what else ""


def _quoted(path: Path) -> str:
    """The path as a shell takes it."""
    return shlex.quote(str(path))
