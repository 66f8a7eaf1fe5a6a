"""A configuration to start from, as text with comments: for a model, or a stack; and what all of them share."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from accumcheck.config.devices import AssumedDevices
from accumcheck.config.splits import auto_splits, control_of
from accumcheck.record import Split
from accumcheck.stacks.protocol import LoopSpec, ProgramSpec

PER_PROCESS = 8
"""Samples per process in the global batch: enough for uneven micro-batches, and few enough to be quick."""
MOST_ON_CPU = 2
"""Processes on a CPU: two are enough to show faults."""

_TINY = """\
model:
  # A tiny Llama, made here. Your own: name_or_path: ./my-model (or a hub id), with shrink: true.
  config:
    model_type: llama
    hidden_size: 32
    intermediate_size: 64
    num_hidden_layers: 2
    num_attention_heads: 4
    num_key_value_heads: 2
    vocab_size: 128
"""

_NAMED = """\
model:
  name_or_path: {name}{hint}
  shrink: true # the same architecture, tiny: faults are in how losses are summed, not in size
  # weights: pretrained # with shrink: false, the model itself
"""

_OFFLINE = " # where the hub is out of reach: config: {model_type: ...} and architecture: ... instead"

_DATA = """\
  dtype: float32 # of weights and arithmetic: float64, float32, bfloat16 or float16

# Samples are made to suit the model, of uneven length: with equal ones a mean of means looks right.
# Your own: data: {jsonl: train.jsonl} or data: {dataset: {name_or_path: ...}}
"""

STEPS = """\
steps: 2 # optimizer steps, each an independent test from the same weights
"""

TRAINING_ARGUMENTS = """\
training_arguments: {} # any field of TrainingArguments, as your training sets it: {bf16: true}
"""


_HEAD = "# What accumcheck runs: accumcheck validate FILE shows the plan, accumcheck run FILE is the check.\n"


def starter(model: str | None, devices: AssumedDevices, folder: Path, stack: LoopSpec) -> str:
    """The text of a configuration for a stack that trains a model on synthetic samples.

    Args:
        model: a folder, relative to the working directory, or a hub id; None for a tiny generated model.
        devices: splits are chosen for these.
        folder: of the configuration; paths in it are relative to this folder.
        stack: the software under test.
    """
    arguments = TRAINING_ARGUMENTS
    if stack.training_arguments is not None:
        arguments = f"training_arguments: {{}} # it uses {', '.join(stack.training_arguments)}\n"
    chosen = f"stack: {stack.name} # the software under test: {stack.help}\n"
    return "\n".join([_HEAD, model_text(model, folder), _batch(devices) + STEPS, chosen + arguments])


def model_text(model: str | None, folder: Path) -> str:
    """The section ``model``, and a comment on data; see `starter`."""
    if model is None:
        return _TINY + _DATA
    path = path_from(folder, model)
    is_of_hub = path == model and not path.startswith((".", "/", "~"))
    return _NAMED.format(name=json.dumps(path), hint=_OFFLINE if is_of_hub else "") + _DATA


def starter_of_program(devices: AssumedDevices, stack: ProgramSpec) -> str:
    """The text of a configuration for a stack with its own model and data, which the user has yet to fill in."""
    keys = [f"{key.example} # yours" for key in stack.own if key.example]
    chosen = f"stack: {stack.name} # the software under test: {stack.help}\n" + "\n".join(keys) + "\n"
    return "\n".join([_HEAD, chosen, _batch(devices) + STEPS, TRAINING_ARGUMENTS])


def _batch(devices: AssumedDevices) -> str:
    count = processes_of(devices)
    batch = default_batch(count)
    return splits_text(auto_splits(batch, count), batch, devices_text(devices))


def default_batch(processes: int) -> int:
    """A global batch for so many processes that no training of the user's suggests."""
    return PER_PROCESS << (processes.bit_length() - 1)


def devices_text(devices: AssumedDevices) -> str:
    """The devices that splits are chosen for, in words."""
    return f"{devices.count} GPUs ({devices.reason})" if devices.kind == "cuda" else devices.reason


def processes_of(devices: AssumedDevices) -> int:
    """The processes that a split may have on these devices."""
    return max(1, devices.count if devices.kind == "cuda" else min(devices.count, MOST_ON_CPU))


def splits_text(splits: Sequence[Split], batch: int, reason: str, own: Split | None = None) -> str:
    """The keys ``global_batch_size`` and ``splits``, with their reason; ``own``: the split of the user's training."""
    control = control_of(splits)
    lines = [
        f"# For {reason}.",
        f"global_batch_size: {batch} # samples of one optimizer step, the same in every split",
        "splits: # processes x samples per process x accumulation steps; or: auto",
    ]
    for split in splits:
        notes = [*(["the control"] if split == control else []), *(["as you train"] if split == own else [])]
        lines.append(f"  - {split}{f' # {chr(44).join(notes)}' if notes else ''}")
    return "\n".join(lines) + "\n"


def path_from(folder: Path, name: str) -> str:
    """A path relative to ``folder``; a name that is not a path here, such as a hub id, is returned unchanged."""
    try:
        path = Path(name).expanduser()
        there = path.exists()
    except (OSError, RuntimeError, ValueError):  # too long, of an unknown user, with a zero byte
        return name
    if not there or path.is_absolute():
        return str(path) if path.is_absolute() else name
    relative = Path(os.path.relpath(path, folder)).as_posix()
    return relative if relative.startswith(".") else f"./{relative}"
