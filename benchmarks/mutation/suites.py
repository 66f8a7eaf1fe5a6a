"""The checks that mutants are held against: in each the unmutated stack passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from accumcheck.config.model import CheckConfig
from accumcheck.selftest.case import in_trainer

TIMEOUT = 40
"""Seconds for a split: a mutant may leave one process waiting for another."""
NAMES: dict[str, tuple[str, ...]] = {
    "trainer": ("steps", "epoch", "mean", "smoothed"),
    "accelerate": ("loop", "steps"),
}
"""Of each suite, in the order in which they are tried."""

BY_PATH = ("mean", "smoothed")
"""Tried only where they lead through a function in another way than those before."""


def check(name: str, mutant: str) -> CheckConfig:
    """The check of that name under a mutant."""
    made = _MADE[name]()
    base = {"loop": "accelerate", "mean": "mean"}.get(name, "trainer")
    launcher = replace(made.launcher, timeout=TIMEOUT)
    return replace(made, stack=f"mutated:{base}:{mutant}", launcher=launcher)


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
