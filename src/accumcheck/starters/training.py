"""A configuration of the stack trainer, from what a file says about a training."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from accumcheck.starters.starter import STEPS, default_batch, model_text, processes_of, splits_text, told_of
from accumcheck.starters.words import comment, listed


@dataclass(frozen=True, slots=True)
class Told:
    """What a file says about a training.

    Attributes:
        file: the file.
        arguments: fields of ``TrainingArguments``.
        micro_batch: samples per process, None if it does not say.
        accumulation: accumulation steps, None if it does not say.
        processes: how many, None if it does not say.
        facts: what was taken over, in words.
        left_out: what was not, and why.
    """

    file: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    micro_batch: int | None = None
    accumulation: int | None = None
    processes: int | None = None
    facts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def starter_of_training(told: Told, model: str | None, devices: AssumedDevices, folder: Path) -> str:
    """The text of a configuration for ``stack: trainer``.

    Args:
        told: what the file says.
        model: as in `accumcheck.starters.starter.starter`.
        devices: splits are chosen for these.
        folder: of the configuration.

    Raises:
        ConfigError: the file's global batch is larger than any check's.
    """
    count = processes_of(devices) if told.processes is None else max(1, min(told.processes, processes_of(devices)))
    own = None
    if told.micro_batch is not None or told.accumulation is not None:
        own = Split(count, told.micro_batch or 8, told.accumulation or 1)  # 8 and 1: TrainingArguments' defaults
        if own.global_batch_size > BATCH:
            raise ConfigError(f"{told.file}: {own} are {own.global_batch_size} samples; expected at most {BATCH}")
    batch = default_batch(count) if own is None else own.global_batch_size
    found = tuple(dict.fromkeys([*auto_splits(batch, count), *([own] if own is not None else [])]))
    reason = (
        told_of(devices) if own is None else f"{comment(told.file.name)}, which on {told_of(devices)} trains as {own}"
    )
    unknown = list(told.left_out)
    if model is None:
        unknown.append("the model: a tiny Llama stands in for it; give yours with --model NAME_OR_PATH, or below")
    if told.processes is not None and told.processes > count:
        unknown.append(
            f"it starts {told.processes} processes; {count} suit this machine: add splits {told.processes}xBxK"
        )
    head = [
        f"# The check of {comment(told.file.name)}: does every split of a global batch train the same?",
        *listed(told.facts),
        *(["# What could not be known, or kept:", *listed(unknown)] if unknown else []),
    ]
    rows = [f"  {name}: {json.dumps(value)}\n" for name, value in told.arguments.items()]
    arguments = f"training_arguments:\n{''.join(rows)}" if rows else "training_arguments: {}\n"
    stack = "stack: trainer # the software under test: transformers' Trainer\n"
    batch_text = splits_text(found, batch, reason, own)
    return "\n".join(["\n".join(head) + "\n", model_text(model, folder), batch_text + STEPS, stack + arguments])


def read_mapping(path: Path, what: str, expected: tuple[str, ...]) -> dict[str, Any]:
    """A mapping in a JSON or YAML file.

    Args:
        path: the file, read as YAML if its extension says so.
        what: it should be, in words.
        expected: keys of which it must have one.

    Raises:
        ConfigError: it cannot be read, or holds something else.
    """
    text = read_text(path, f"give {what}")
    try:
        told = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        kind = "YAML" if path.suffix in (".yaml", ".yml") else "JSON"
        raise ConfigError(f"{path}: not valid {kind}: {shorten(' '.join(str(error).split()), 200)}") from None
    if not isinstance(told, dict) or not any(name in told for name in expected):
        raise ConfigError(f"{path}: has none of {', '.join(expected)}; give {what}")
    return told


def whole(path: Path, told: Mapping[str, Any], name: str) -> int | None:
    """A whole number in a file; None if it is missing, null, or ``auto``.

    Raises:
        ConfigError: it is something else.
    """
    value = told.get(name)
    if value in (None, "auto"):
        return None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= BATCH:
        raise ConfigError(f"{path}: {name}: found {shorten(repr(value))}; expected a whole number from 1 to {BATCH}")
    return value
