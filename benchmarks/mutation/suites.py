"""The checks that mutants are held against: in each the unmutated stack passes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig
from accumcheck.selftest.case import in_trainer

ROOT = Path(__file__).parents[2]
DATA = ROOT / "reports" / "clean-data"
MAKE_TINY = ROOT / "configs" / "examples" / "make_tiny.py"
TIMEOUT = 40
"""Seconds for a split: a mutant may leave one process waiting for another."""
NAMES: dict[str, tuple[str, ...]] = {
    "trainer": ("steps", "epoch", "unclipped", "mean", "smoothed"),
    "accelerate": ("loop", "steps", "loop, epoch"),
    "sft": ("sft", "sft, smoothed", "sft, dft"),
}
"""Of each suite, in the order in which they are tried."""

PROGRAM = "program"
"""The last resort of Trainer and accelerate: Trainer as a program of a user's, with its optimizer and schedule."""

WITH_PROGRAM = ("trainer", "accelerate")
"""TRL's script is a program by itself, whose optimizer, schedule and clipping are observed in each of its checks."""

BY_PATH = ("unclipped", "mean", "smoothed", "sft, smoothed", "sft, dft")
"""Tried only where they lead through a function in another way than those before."""


def check(name: str, mutant: str, number: int) -> CheckConfig:
    """The check of that name under a mutant, which has this number in its launch."""
    if name == PROGRAM:
        return _program(mutant)
    if name in _SFT:
        return replace(_sft(*_SFT[name]), stack=f"mutated-sft:{number}:{mutant}")
    made = _MADE[name]()
    base = {"loop": "accelerate", "loop, epoch": "accelerate", "mean": "mean"}.get(name, "trainer")
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


def _sft(*arguments: str) -> CheckConfig:
    told = ["--model_name_or_path", str(DATA / "llama"), "--dataset_name", str(DATA / "trl"), "--max_length", "256"]
    told += ["--bf16", "False", "--gradient_checkpointing", "False", "--output_dir", str(DATA / "saves")]
    written = {
        "global_batch_size": 8,
        "steps": 2,
        "splits": ["1x8x1", "1x2x4", "2x2x2"],
        "stack": "trl-sft",
        "trl": {"arguments": [*told, *arguments]},
        "launcher": {"device": "cpu", "timeout": TIMEOUT},
    }
    return read_config(json.dumps(written), Place("sft"), Path())


def make_data() -> None:
    """What TRL's script trains, made once, without a network."""
    if not DATA.exists():
        subprocess.run([sys.executable, str(MAKE_TINY), "--into", str(DATA)], check=True)


CLIPS = 0.05
"""A ``max_grad_norm`` below the norm of every gradient here, so that each step is clipped."""


def _steps() -> CheckConfig:
    return in_trainer("none", steps=2, training_arguments={"max_grad_norm": CLIPS})


def _loop() -> CheckConfig:
    return in_trainer("none", steps=2)


def _unclipped() -> CheckConfig:
    """Trainer takes a ``max_grad_norm`` of 0 for none, and reads the norm that it logs in another way."""
    return in_trainer("none", steps=2, training_arguments={"max_grad_norm": 0})


def _epoch() -> CheckConfig:
    return in_trainer("none", samples=12)


def _mean() -> CheckConfig:
    made = in_trainer("none", steps=2)
    return replace(made, model=replace(made.model, architecture="LlamaForSequenceClassification"))


def _smoothed() -> CheckConfig:
    return in_trainer("none", steps=2, training_arguments={"label_smoothing_factor": 0.1})


_SFT = {
    "sft": (),
    "sft, smoothed": ("--label_smoothing_factor", "0.1"),
    "sft, dft": ("--loss_type", "dft"),
}
_MADE: dict[str, Callable[[], CheckConfig]] = {
    "steps": _steps,
    "epoch": _epoch,
    "unclipped": _unclipped,
    "mean": _mean,
    "smoothed": _smoothed,
    "loop": _loop,
    "loop, epoch": _epoch,
}
