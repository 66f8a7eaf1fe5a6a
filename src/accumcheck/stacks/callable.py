"""A function of the user's that returns a Trainer, or anything else with a method ``train``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.stacks.protocol import Key, ProgramSpec

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
    keys=(
        Key(
            name="callable",
            holds="function",
            help="With stack: callable, what returns a transformers Trainer: module:function, or file.py:function "
            "(relative to the config file).",
            example="callable: my_package:build_trainer",
            required=True,
        ),
        Key(
            name="callable_arguments",
            holds="mapping",
            help="With stack: callable, what the function is called with, by name.",
            example="callable_arguments: {size: 2}",
        ),
    ),
    start=_start,
    title=lambda check: str(check.callable),
)
