"""A user's function that returns a Trainer, or any other object with a method ``train``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from accumcheck.declare.keys import Expected
from accumcheck.declare.texts import FUNCTION
from accumcheck.errors import WorkloadError
from accumcheck.stacks.protocol import OwnKey, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.stacks.programs.handover import Handover


def _start(check: CheckConfig, handover: Handover) -> None:  # noqa: ARG001
    from accumcheck.stacks.programs.functions import find_function

    assert check.callable is not None
    built = find_function(check.callable)(**check.callable_arguments)
    if not hasattr(built, "train"):
        raise WorkloadError(
            f"callable: {check.callable} returned {type(built).__name__}; expected a transformers Trainer"
        )
    built.train()


SPEC = ProgramSpec(
    name="callable",
    help="a function that returns a transformers Trainer",
    own=(
        OwnKey(
            "callable",
            Annotated[str, FUNCTION] | None,
            "With stack: callable, the function that returns a transformers Trainer: module:function, or "
            "file.py:function (relative to the config file).",
            "callable: my_package:build_trainer",
        ),
        OwnKey(
            "callable_arguments",
            Annotated[dict[str, Any], Expected("a mapping of parameter names to values, for example {size: 2}")],
            "With stack: callable, the arguments of the function, by name.",
            default=dict,
        ),
    ),
    start=_start,
    title=lambda check: str(check.callable),
)
