"""A script or a module of the user's that ends in a Trainer, or has a training loop of its own.

Its arguments may hold a split's numbers as ``{per_device_train_batch_size}``, ``{gradient_accumulation_steps}``,
``{num_processes}`` and ``{steps}``; a YAML file among them is read with the split's numbers in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from accumcheck.capture.patches import Seam
from accumcheck.declare.keys import Contradiction, Expected, Section, Text
from accumcheck.declare.texts import MODULE, Words
from accumcheck.stacks.programs.start import run_file, run_module
from accumcheck.stacks.protocol import OF_PROGRAMS, OwnKey, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover


@dataclass(frozen=True, slots=True)
class ScriptConfig(Section):
    """A training program: exactly one of ``path`` and ``module``, as ``python`` and ``python -m`` take it."""

    path: Annotated[str, Text("the path of a Python file", located="program")] | None = None
    """Training script, as python takes it (relative to the config file, else to the working directory)."""
    module: Annotated[str, MODULE] | None = None
    """Training program, as python -m takes it."""
    arguments: Annotated[Words, Expected("a list of words, for example [--model, ./my-model]", "a word")] = ()
    """Its command line; batch size, accumulation and steps are set by accumcheck. Paths are relative to the working
    directory; those that are only in the config file's folder are found there."""

    def contradictions(self) -> list[Contradiction]:
        """It is one program."""
        if (self.path is None) == (self.module is None):
            return [((), "expected exactly one of path and module, for example {path: train.py}")]
        return []


def _start(check: CheckConfig, handover: Handover) -> None:
    script = check.own(ScriptConfig)
    arguments = handover.fill(script.arguments)
    handover.answer_yaml(arguments)
    if script.path is not None:
        run_file(script.path, arguments)
    else:
        assert script.module is not None
        run_module(script.module, arguments)


def _title(check: CheckConfig) -> str:
    script = check.own(ScriptConfig)
    return str(script.path or script.module)


SPEC = ProgramSpec(
    name="script",
    help="any script or module that ends in a transformers Trainer, or has a loop of its own",
    own=(
        OwnKey(
            "script",
            ScriptConfig | None,
            "With stack: script, the program: exactly one of path and module.",
            "script: {path: train.py}",
        ),
    ),
    seams=(*OF_PROGRAMS, Seam.YAML),
    start=_start,
    title=_title,
)
