"""A user's script or module that uses a Trainer or has its own training loop.

Its arguments may contain the placeholders ``{per_device_train_batch_size}``, ``{gradient_accumulation_steps}``,
``{num_processes}`` and ``{steps}``. If a YAML file is among the arguments, the split's numbers are replaced when it is
read.
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
    """A training program: either ``path``, as for ``python``, or ``module``, as for ``python -m``."""

    path: Annotated[str, Text("the path of a Python file", located="program")] | None = None
    """Training script, run as python FILE (relative to the config file, else to the working directory)."""
    module: Annotated[str, MODULE] | None = None
    """Training program, run as python -m MODULE."""
    arguments: Annotated[Words, Expected("a list of words, for example [--model, ./my-model]", "a word")] = ()
    """Its command line. accumcheck sets the batch size, the accumulation steps and the number of steps. Paths are
    relative to the working directory; a path that exists only in the config file's folder is found there."""

    def contradictions(self) -> list[Contradiction]:
        """Exactly one program must be given."""
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
    help="any script or module that uses a transformers Trainer or its own training loop",
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
