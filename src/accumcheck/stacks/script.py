"""A script or a module of the user's that ends in a Trainer, or has a training loop of its own.

Its arguments may hold a split's numbers as ``{per_device_train_batch_size}``, ``{gradient_accumulation_steps}``,
``{num_processes}`` and ``{steps}``; a YAML file among them is read with the split's numbers in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.capture.patches import Seam
from accumcheck.stacks.programs.start import run_file, run_module
from accumcheck.stacks.protocol import OF_PROGRAMS, Key, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig, ScriptConfig
    from accumcheck.stacks.programs.handover import Handover


def _start(check: CheckConfig, handover: Handover) -> None:
    script = _script(check)
    arguments = handover.fill(script.arguments)
    handover.answer_yaml(arguments)
    if script.path is not None:
        run_file(script.path, arguments)
    else:
        assert script.module is not None
        run_module(script.module, arguments)


def _script(check: CheckConfig) -> ScriptConfig:
    assert check.script is not None
    return check.script


SPEC = ProgramSpec(
    name="script",
    help="any script or module that ends in a transformers Trainer, or has a loop of its own",
    keys=(
        Key(
            name="script",
            holds="section",
            help="With stack: script, the program: exactly one of path and module.",
            example="script: {path: train.py}",
            required=True,
            one_of=("path", "module"),
            keys=(
                Key(name="path", holds="file", help="Training script, as python takes it.", example="path: train.py"),
                Key(
                    name="module",
                    holds="module",
                    help="Training program, as python -m takes it.",
                    example="module: trl.scripts.sft",
                ),
                Key(
                    name="arguments",
                    holds="words",
                    help="Its command line; batch size, accumulation and steps are set by accumcheck.",
                    example="arguments: [--config, train.yaml]",
                ),
            ),
        ),
    ),
    seams=(*OF_PROGRAMS, Seam.YAML),
    start=_start,
    title=lambda check: str(_script(check).path or _script(check).module),
)
