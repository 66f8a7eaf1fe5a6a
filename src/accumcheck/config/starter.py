"""A configuration to start from, as text with comments: for a model, or for a training file of LLaMA-Factory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from accumcheck.config.devices import Devices
from accumcheck.config.faults import shorten
from accumcheck.config.files import read_text
from accumcheck.config.limits import BATCH
from accumcheck.config.splits import auto_splits, control_of
from accumcheck.errors import ConfigError
from accumcheck.record import Split

PER_PROCESS = 8
"""Samples of the global batch for each process: enough for uneven micro-batches, and few enough to be quick."""
MOST_ON_CPU = 2
"""Processes on a CPU: two show what more would."""

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
  name_or_path: {name}
  shrink: true # the same architecture, tiny: faults are in how losses are summed, not in size
  # weights: pretrained # with shrink: false, the model itself
"""

_DATA = """\
  dtype: float32 # of weights and arithmetic: float64, float32, bfloat16 or float16

# Samples are made to suit the model, of uneven length: with equal ones a mean of means looks right.
# Your own: data: {jsonl: train.jsonl} or data: {dataset: {name_or_path: ...}}
"""

_STEPS = """\
steps: 2 # optimizer steps, each an independent test from the same weights
"""

_ARGUMENTS = """\
training_arguments: {} # any field of TrainingArguments, as your training sets it: {bf16: true}
"""


def starter(model: str | None, devices: Devices, folder: Path) -> str:
    """The text of a configuration for ``stack: trainer``.

    Args:
        model: a folder, relative to the working directory, or a hub id; None for a tiny model that is made.
        devices: those that splits are chosen for.
        folder: where the configuration will be, which paths in it are relative to.
    """
    head = "# What accumcheck runs: accumcheck validate FILE shows the plan, accumcheck run FILE is the check.\n"
    named = _TINY if model is None else _NAMED.format(name=json.dumps(_from(folder, model)))
    count = _processes(devices)
    batch = PER_PROCESS * 2 ** (count.bit_length() - 1)
    splits = _splits(auto_splits(batch, count), batch, _told(devices))
    stack = "stack: trainer # the software under test: transformers' Trainer\n"
    return "\n".join([head, named + _DATA, splits + _STEPS, stack + _ARGUMENTS])


def starter_from_llamafactory(train: Path, devices: Devices, folder: Path) -> str:
    """The text of a configuration for ``stack: llamafactory``, with the global batch that the file trains with here.

    Args:
        train: what ``llamafactory-cli train`` is given.
        devices: the processes that it would be started with, one for each GPU.
        folder: as of `starter`.

    Raises:
        ConfigError: the file cannot be read, or is none of LLaMA-Factory's.
    """
    told = _training_file(train)
    b, k = (_whole(told, name, default, train) for name, default in (("per_device_train_batch_size", 8), (_K, 1)))
    count = _processes(devices)
    own = Split(count, b, k)
    batch = own.global_batch_size
    if batch > BATCH:
        raise ConfigError(f"{train}: {b} x {k} on {count} processes are {batch} samples; expected at most {BATCH}")
    facts = [
        shorten(f"{name}: {' '.join(str(told[name]).split())}", 100)  # in one line: what follows is not a comment
        for name in ("model_name_or_path", "stage", "finetuning_type", "cutoff_len", "template")
        if name in told
    ]
    head = [
        f"# The check of {train.name}: does every split of its global batch train alike?",
        *(f"#   {fact}" for fact in facts),
        "# accumcheck sets batch size, accumulation, steps, learning rate, logging and output folder; everything else",
        "# is as in the file. Remove a split that does not fit into memory, or lower global_batch_size.",
    ]
    written = json.dumps(_from(folder, str(train)))
    stack = f"stack: llamafactory\nllamafactory:\n  train: {written} # relative to this file\n"
    reason = f"{train.name}, which on {_told(devices)} trains as {own}"
    found = tuple(dict.fromkeys([*auto_splits(batch, count), own]))
    return "\n".join(["\n".join(head) + "\n", stack, _splits(found, batch, reason, own) + _STEPS])


_K = "gradient_accumulation_steps"


def _told(devices: Devices) -> str:
    return f"{devices.count} GPUs ({devices.reason})" if devices.kind == "cuda" else devices.reason


def _processes(devices: Devices) -> int:
    return max(1, devices.count if devices.kind == "cuda" else min(devices.count, MOST_ON_CPU))


def _splits(splits: Sequence[Split], batch: int, reason: str, own: Split | None = None) -> str:
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


def _from(folder: Path, name: str) -> str:
    """A path as it is written in ``folder``; what is not a path here stays as it is: a hub id."""
    try:
        path = Path(name).expanduser()
        there = path.exists()
    except (OSError, RuntimeError, ValueError):  # too long, of no user, with a zero byte
        return name
    if not there or path.is_absolute():
        return str(path) if path.is_absolute() else name
    relative = Path(os.path.relpath(path, folder)).as_posix()
    return relative if relative.startswith(".") else f"./{relative}"


def _training_file(path: Path) -> Mapping[str, Any]:
    text = read_text(path, "give the file of llamafactory-cli train")
    try:
        told = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {shorten(' '.join(str(error).split()), 200)}") from None
    if not isinstance(told, dict) or "model_name_or_path" not in told:
        raise ConfigError(f"{path}: has no model_name_or_path; give the file of llamafactory-cli train")
    return told


def _whole(told: Mapping[str, Any], name: str, default: int, path: Path) -> int:
    value = told.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= BATCH:
        raise ConfigError(f"{path}: {name}: found {shorten(repr(value))}; expected a whole number from 1 to {BATCH}")
    return value
