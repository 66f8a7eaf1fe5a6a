"""A starter configuration for the stack trainer, from a file with the settings of a training."""

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
from accumcheck.starters.starter import STEPS, default_batch, devices_text, model_text, processes_of, splits_text
from accumcheck.starters.words import comment, listed


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """The settings of a training, from a file.

    Attributes:
        file: the file.
        arguments: fields of ``TrainingArguments``.
        micro_batch: samples per process and micro-batch; None if not in the file.
        accumulation: accumulation steps; None if not in the file.
        processes: the number of processes; None if not in the file.
        facts: what was kept, as text.
        left_out: what was not kept, and why.
    """

    file: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)
    micro_batch: int | None = None
    accumulation: int | None = None
    processes: int | None = None
    facts: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def starter_of_training(settings: TrainingSettings, model: str | None, devices: AssumedDevices, folder: Path) -> str:
    """The text of a configuration for ``stack: trainer``.

    Args:
        settings: the settings in the file.
        model: as in `accumcheck.starters.starter.starter`.
        devices: the splits are chosen for these devices.
        folder: the folder of the configuration.

    Raises:
        ConfigError: the file's global batch is larger than a check can have.
    """
    count = (
        processes_of(devices) if settings.processes is None else max(1, min(settings.processes, processes_of(devices)))
    )
    own = None
    if settings.micro_batch is not None or settings.accumulation is not None:
        own = Split(
            count, settings.micro_batch or 8, settings.accumulation or 1
        )  # 8 and 1: TrainingArguments' defaults
        if own.global_batch_size > BATCH:
            raise ConfigError(f"{settings.file}: {own} are {own.global_batch_size} samples; expected at most {BATCH}")
    batch = default_batch(count) if own is None else own.global_batch_size
    found = tuple(dict.fromkeys([*auto_splits(batch, count), *([own] if own is not None else [])]))
    reason = (
        devices_text(devices)
        if own is None
        else f"{comment(settings.file.name)}, which on {devices_text(devices)} trains as {own}"
    )
    unknown = list(settings.left_out)
    if model is None:
        unknown.append(
            "the model is not in the file: a tiny Llama is used; give yours with --model NAME_OR_PATH, or below"
        )
    if settings.processes is not None and settings.processes > count:
        unknown.append(
            f"it starts {settings.processes} processes; the splits below use up to {count}; "
            f"for more, add splits {settings.processes}xBxK"
        )
    head = [
        f"# The check of {comment(settings.file.name)}: does every split of a global batch train the same?",
        *listed(settings.facts),
        *(["# Not kept, or not known:", *listed(unknown)] if unknown else []),
    ]
    rows = [f"  {name}: {json.dumps(value)}\n" for name, value in settings.arguments.items()]
    arguments = f"training_arguments:\n{''.join(rows)}" if rows else "training_arguments: {}\n"
    stack = "stack: trainer # the software under test: transformers' Trainer\n"
    batch_text = splits_text(found, batch, reason, own)
    return "\n".join(["\n".join(head) + "\n", model_text(model, folder), batch_text + STEPS, stack + arguments])


def read_mapping(path: Path, what: str, expected: tuple[str, ...]) -> dict[str, Any]:
    """A mapping in a JSON or YAML file.

    Args:
        path: the file, read as YAML if its extension says so.
        what: the expected content, as text.
        expected: keys; the file must have at least one.

    Raises:
        ConfigError: the file cannot be read, or contains something else.
    """
    text = read_text(path, f"give {what}")
    try:
        content = yaml.safe_load(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        kind = "YAML" if path.suffix in (".yaml", ".yml") else "JSON"
        raise ConfigError(f"{path}: not valid {kind}: {shorten(' '.join(str(error).split()), 200)}") from None
    if not isinstance(content, dict) or not any(name in content for name in expected):
        raise ConfigError(f"{path}: has none of {', '.join(expected)}; give {what}")
    return content


def whole(path: Path, content: Mapping[str, Any], name: str) -> int | None:
    """A whole number in a file; None if it is missing, null, or ``auto``.

    Raises:
        ConfigError: it is something else.
    """
    value = content.get(name)
    if value in (None, "auto"):
        return None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= BATCH:
        raise ConfigError(f"{path}: {name}: found {shorten(repr(value))}; expected a whole number from 1 to {BATCH}")
    return value
