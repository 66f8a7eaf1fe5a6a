"""A starter configuration for a LLaMA-Factory training file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from accumcheck.config.devices import AssumedDevices
from accumcheck.config.faults import shorten
from accumcheck.config.files import read_text
from accumcheck.config.limits import BATCH
from accumcheck.config.splits import auto_splits
from accumcheck.errors import ConfigError
from accumcheck.record import Split
from accumcheck.starters.starter import STEPS, devices_text, path_from, processes_of, splits_text

_K = "gradient_accumulation_steps"


def starter_from_llamafactory(train: Path, devices: AssumedDevices, folder: Path) -> str:
    """The text of a configuration for ``stack: llamafactory``, with the file's global batch on these devices.

    Args:
        train: the file for ``llamafactory-cli train``.
        devices: one process is started per GPU.
        folder: as in `starter`.

    Raises:
        ConfigError: the file cannot be read, or is not a LLaMA-Factory training file.
    """
    content = _training_file(train)
    b, k = (_whole(content, name, default, train) for name, default in (("per_device_train_batch_size", 8), (_K, 1)))
    count = processes_of(devices)
    own = Split(count, b, k)
    batch = own.global_batch_size
    if batch > BATCH:
        raise ConfigError(f"{train}: {b} x {k} on {count} processes are {batch} samples; expected at most {BATCH}")
    facts = [
        shorten(f"{name}: {' '.join(str(content[name]).split())}", 100)  # in one line: what follows is not a comment
        for name in ("model_name_or_path", "stage", "finetuning_type", "cutoff_len", "template")
        if name in content
    ]
    head = [
        f"# The check of {train.name}: does every split of its global batch train the same?",
        *(f"#   {fact}" for fact in facts),
        "# accumcheck sets batch size, accumulation, steps, learning rate, logging and output folder; the file sets",
        "# the rest. If a split does not fit into memory, remove it, or reduce global_batch_size.",
    ]
    written = json.dumps(path_from(folder, str(train)))
    stack = f"stack: llamafactory\nllamafactory:\n  train: {written} # relative to this file\n"
    reason = f"{train.name}, which on {devices_text(devices)} trains as {own}"
    found = tuple(dict.fromkeys([*auto_splits(batch, count), own]))
    return "\n".join(["\n".join(head) + "\n", stack, splits_text(found, batch, reason, own) + STEPS])


def _training_file(path: Path) -> Mapping[str, Any]:
    text = read_text(path, "give the file of llamafactory-cli train")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid YAML: {shorten(' '.join(str(error).split()), 200)}") from None
    if not isinstance(content, dict) or "model_name_or_path" not in content:
        raise ConfigError(f"{path}: has no model_name_or_path; give the file of llamafactory-cli train")
    return content


def _whole(content: Mapping[str, Any], name: str, default: int, path: Path) -> int:
    value = content.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= BATCH:
        raise ConfigError(f"{path}: {name}: found {shorten(repr(value))}; expected a whole number from 1 to {BATCH}")
    return value
