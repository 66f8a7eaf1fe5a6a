"""The checks that mutants are held against: in each the unmutated stack passes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig
from accumcheck.selftest.case import in_trainer

TIMEOUT = 40
"""Seconds for a split: a mutant may leave one process waiting for another."""
NAMES: dict[str, tuple[str, ...]] = {
    "trainer": ("steps", "epoch", "mean", "smoothed"),
    "accelerate": ("loop", "steps"),
}
"""Of each suite, in the order in which they are tried."""

PROGRAM = "program"
"""The last resort of every suite: the Trainer as a program of a user's, with its optimizer, schedule and clipping."""

BY_PATH = ("mean", "smoothed")
"""Tried only where they lead through a function in another way than those before."""


def check(name: str, mutant: str) -> CheckConfig:
    """The check of that name under a mutant."""
    if name == PROGRAM:
        return _program(mutant)
    made = _MADE[name]()
    base = {"loop": "accelerate", "mean": "mean"}.get(name, "trainer")
    launcher = replace(made.launcher, timeout=TIMEOUT)
    return replace(made, stack=f"mutated:{base}:{mutant}", launcher=launcher)


def _program(mutant: str) -> CheckConfig:
    written = {
        "global_batch_size": 8,
        "steps": 3,
        "splits": ["1x8x1", "1x2x4", "2x2x2"],
        "stack": "callable",
        "callable": "mutation.trained:build",
        "callable_arguments": {"mutant": mutant},
        "launcher": {"device": "cpu", "timeout": TIMEOUT},
    }
    return read_config(json.dumps(written), Place("program"), Path())


def _steps() -> CheckConfig:
    return in_trainer("none", steps=2)


def _epoch() -> CheckConfig:
    return in_trainer("none", samples=12)


def _mean() -> CheckConfig:
    made = in_trainer("none", steps=2)
    return replace(made, model=replace(made.model, architecture="LlamaForSequenceClassification"))


def _smoothed() -> CheckConfig:
    return in_trainer("none", steps=2, training_arguments={"label_smoothing_factor": 0.1})


_MADE: dict[str, Callable[[], CheckConfig]] = {
    "steps": _steps,
    "epoch": _epoch,
    "mean": _mean,
    "smoothed": _smoothed,
    "loop": _steps,
}
