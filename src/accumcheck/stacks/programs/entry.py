"""Run a program of the user's in this process, as ``python``, ``python -m`` or its own caller would."""

from __future__ import annotations

import importlib
import runpy
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accumcheck.config.model import CheckConfig
from accumcheck.errors import WorkloadError
from accumcheck.record import Split


def start(check: CheckConfig, split: Split) -> None:
    """Run it to its end, or until something raises.

    A script's arguments may hold a split's numbers as ``{per_device_train_batch_size}``,
    ``{gradient_accumulation_steps}`` and ``{num_processes}``, and ``{steps}``.

    Raises:
        WorkloadError: it has no such function, or the function returned nothing that can train.
        BaseException: whatever the program raises, SystemExit with its exit status among it.
    """
    if check.script is not None:
        arguments = [_filled(argument, check, split) for argument in check.script.arguments]
        if check.script.path is not None:
            sys.argv = [check.script.path, *arguments]
            sys.path.insert(0, str(Path(check.script.path).parent))
            runpy.run_path(check.script.path, run_name="__main__")
            return
        assert check.script.module is not None
        sys.argv = [check.script.module, *arguments]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(check.script.module, run_name="__main__", alter_sys=True)
        return
    assert check.callable is not None
    _build(check.callable).train()


def _filled(argument: str, check: CheckConfig, split: Split) -> str:
    for name, value in {**asdict(split), "steps": check.steps}.items():
        argument = argument.replace(f"{{{name}}}", str(value))
    return argument


def _build(name: str) -> Any:
    """What ``module:function`` returns: a Trainer, or anything else with a method ``train``."""
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    found = getattr(importlib.import_module(module), function, None)
    if not callable(found):
        raise WorkloadError(f"callable: {module} has no function {function}; expected one that returns a Trainer")
    built = found()
    if not hasattr(built, "train"):
        raise WorkloadError(f"callable: {name} returned {type(built).__name__}; expected a transformers Trainer")
    return built
