"""The checks that are run on mutants. The unmutated stack passes each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from accumcheck.config.epochs import steps_of
from accumcheck.config.faults import Place
from accumcheck.config.load import read_config
from accumcheck.config.model import CheckConfig
from accumcheck.selftest.case import in_trainer

ROOT = Path(__file__).parents[2]
DATA = ROOT / "reports" / "clean-data"
MAKE_TINY = ROOT / "configs" / "examples" / "make_tiny.py"
TIMEOUT = 40
"""The time limit of a split in seconds. With a mutant, one process may wait for another forever."""
NAMES: dict[str, tuple[str, ...]] = {
    "trainer": ("steps", "epoch", "unclipped", "mean", "smoothed"),
    "accelerate": ("loop", "steps"),
    "sft": ("sft", "sft, smoothed", "sft, dft"),
}
"""The checks of each suite, in order."""

PROGRAM = "program"
"""Tried after these with Trainer and accelerate: Trainer as a user's program, with its optimizer and schedule."""

EPOCH = "program, epoch"
"""Tried last: a user's loop with accelerate, and the end of its epoch."""

LAST = (PROGRAM, EPOCH)

WITH_PROGRAM = ("trainer", "accelerate")
"""TRL's script is already a program. Each of its checks observes optimizer, schedule and clipping."""

BY_PATH = ("unclipped", "mean", "smoothed", "sft, smoothed", "sft, dft")
"""Checks that only run if they take another path through a function than the earlier ones."""


def check(name: str, mutant: str, number: int) -> CheckConfig:
    """The check of that name under a mutant; ``number``: its number in the launch."""
    if name == PROGRAM:
        return _program(mutant)
    if name == EPOCH:
        return _loop_of_a_user(mutant)
    if name in _SFT:
        return replace(_sft(*_SFT[name]), stack=f"mutated-sft:{number}:{mutant}")
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


def _loop_of_a_user(mutant: str) -> CheckConfig:
    told = ["--mutant", mutant, "--batch", "{b}", "--accumulate", "{k}"]
    written = {
        "global_batch_size": 8,
        "data": {"epochs": 1, "samples": 12},
        "splits": ["1x8x1", "1x2x4"],
        "stack": "script",
        "script": {"path": str(Path(__file__).with_name("epoch.py")), "arguments": told},
        "launcher": {"device": "cpu", "timeout": TIMEOUT},
    }
    return read_config(json.dumps(written), Place("epoch"), Path())


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
    """Make the inputs of TRL's script, once, without a network."""
    if not DATA.exists():
        subprocess.run([sys.executable, str(MAKE_TINY), "--into", str(DATA)], check=True)


CLIPS = 0.05
"""A ``max_grad_norm`` below the norm of every gradient here, so each step is clipped."""


def _steps() -> CheckConfig:
    return in_trainer("none", steps=2, training_arguments={"max_grad_norm": CLIPS})


def _loop() -> CheckConfig:
    return in_trainer("none", steps=2)


def _unclipped() -> CheckConfig:
    """With ``max_grad_norm`` 0 Trainer does not clip, and gets the norm that it logs in another way."""
    return in_trainer("none", steps=2, training_arguments={"max_grad_norm": 0})


def _epoch() -> CheckConfig:
    """Two epochs of 12 samples, whose second steps are short."""
    made = in_trainer("none", samples=12)
    return replace(made, data=replace(made.data, epochs=2), steps=steps_of(2, 12, made.global_batch_size))


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
}
