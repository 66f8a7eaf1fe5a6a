"""Run a program in this process, as ``python``, ``python -m``, its own launcher or its own caller would."""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from accumcheck.config.model import TRL_SCRIPTS, CheckConfig
from accumcheck.errors import WorkloadError
from accumcheck.stacks.programs.functions import find_function
from accumcheck.stacks.programs.handover import Handover


def start(check: CheckConfig, handover: Handover) -> None:
    """Run it to its end, or until something raises.

    A script's arguments may hold a split's numbers as ``{per_device_train_batch_size}``,
    ``{gradient_accumulation_steps}`` and ``{num_processes}``, and ``{steps}``; see `Handover` for the other ways.

    Raises:
        WorkloadError: its package is not installed, it has no such function, or the function returned nothing that
            can train.
        BaseException: whatever the program raises, SystemExit with its exit status among it.
    """
    if check.trl is not None:
        _ask_for("trl", check)
        _run_module(_script_of_trl(check.stack), check.trl.arguments)
    elif check.llamafactory is not None:
        _ask_for("llamafactory", check)
        # what LLaMA-Factory has torchrun run in every process; it reads the command line itself
        sys.argv = ["llamafactory-cli", check.llamafactory.train]
        importlib.import_module("llamafactory.train.tuner").run_exp()
    elif check.script is not None:
        arguments = handover.fill(check.script.arguments)
        handover.answer_yaml(arguments)
        if check.script.path is not None:
            sys.argv = [check.script.path, *arguments]
            sys.path.insert(0, str(Path(check.script.path).parent))
            runpy.run_path(check.script.path, run_name="__main__")
        else:
            assert check.script.module is not None
            _run_module(check.script.module, arguments)
    else:
        assert check.callable is not None
        _build(check.callable, check.callable_arguments).train()


def name_of(check: CheckConfig) -> str:
    """What is run, in a word."""
    if check.trl is not None:
        return TRL_SCRIPTS[check.stack][0]
    if check.llamafactory is not None:
        return f"llamafactory-cli train {Path(check.llamafactory.train).name}"
    return str(check.callable if check.script is None else check.script.path or check.script.module)


def _ask_for(package: str, check: CheckConfig) -> None:
    if not _there(package):
        raise WorkloadError(
            f"stack: {check.stack} needs {package}, which is not installed; install it, or name a release: "
            f"accumcheck run CONFIG --with {package}==VERSION"
        )


def _script_of_trl(stack: str) -> str:
    """The module of TRL that the stack is, in the release that is installed."""
    found = next(filter(_there, TRL_SCRIPTS[stack]), None)
    if found is None:
        raise WorkloadError(
            f"stack: {stack} runs {TRL_SCRIPTS[stack][0]}, which trl {version('trl')} does not have (releases 0.13 to "
            "0.23 have no script for rewards); name another release with --with trl==VERSION, or write stack: script "
            "with a script of your own that makes the trainer"
        )
    return found


def _there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False


def _run_module(module: str, arguments: Any) -> None:
    sys.argv = [module, *arguments]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _build(name: str, arguments: Mapping[str, Any]) -> Any:
    """What the function returns: a Trainer, or anything else with a method ``train``."""
    built = find_function(name)(**arguments)
    if not hasattr(built, "train"):
        raise WorkloadError(f"callable: {name} returned {type(built).__name__}; expected a transformers Trainer")
    return built
