"""The configuration of a check that is started from Python: a function, a path, a mapping or a `CheckConfig`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Split

    Config = str | os.PathLike[str] | Mapping[str, Any] | CheckConfig | Callable[..., Any]
    Splits = str | Sequence[str | Split | Mapping[str, int]]


def resolved(config: Config, overrides: Mapping[str, Any], root: Path, caller: str) -> CheckConfig:
    """The configuration of a check.

    Args:
        config: a function that returns a Trainer, the path of a YAML file, its keys as a mapping, or a `CheckConfig`.
        overrides: other keys of the configuration; a mapping is merged into the section of that name.
        root: the folder that relative paths start from.
        caller: who asked for the check, for messages.

    Raises:
        ConfigError: the configuration is wrong.
    """
    from accumcheck.config.faults import Place
    from accumcheck.config.load import load_config, read_config
    from accumcheck.config.model import CheckConfig

    if isinstance(config, CheckConfig) and not overrides:
        return config
    if isinstance(config, (str, os.PathLike)):
        return load_config(root / config, written(overrides))
    if isinstance(config, CheckConfig):
        plain = config.to_dict()
    else:
        plain = dict(config) if isinstance(config, Mapping) else _of_function(config, overrides)
    return read_config(_json(plain), Place(caller), root, written(overrides))


def _of_function(function: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration for a function that makes a Trainer. The splits determine the global batch.

    Raises:
        ConfigError: other processes cannot import it, or the splits do not determine the global batch.
    """
    from accumcheck.config.batch import batch_of
    from accumcheck.stacks.programs.functions import name_function

    named = name_function(function)
    batch = overrides["global_batch_size"] if "global_batch_size" in overrides else batch_of(overrides.get("splits"))
    return {
        "stack": "callable",
        "callable": named.name,
        "callable_arguments": named.arguments,
        "global_batch_size": batch,
        "splits": "auto",  # unless some are given
    }


def searched() -> list[str]:
    """The folders in which the workers look for modules: those of this process, with pytest's ``pythonpath``."""
    return [folder or str(Path.cwd()) for folder in sys.path]


def written(overrides: Mapping[str, Any]) -> list[str]:
    """Keys in the form that ``--set`` accepts."""
    return [argument for key, value in overrides.items() for argument in _arguments(key, value)]


def _arguments(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key}.{name}={_json(inner)}" for name, inner in value.items()]
    return [f"{key}={_json(value)}"]


def _json(value: Any) -> str:
    """JSON that is also valid YAML: YAML does not read a character beyond 16 bits from two escapes."""
    return json.dumps(value, default=str, ensure_ascii=False)
