"""All stacks, in the order in which users see them. A new stack needs its own file and a line here.

Importing this is fast: it imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accumcheck.errors import WorkloadError
from accumcheck.stacks import (
    accelerate,
    callable,
    llamafactory,
    planted,
    script,
    sentence_transformers,
    trainer,
    trl_dpo,
    trl_reward,
    trl_sft,
)
from accumcheck.stacks.protocol import PLAIN_SWITCHES, LoopSpec, ProgramSpec

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig

STACKS: tuple[LoopSpec | ProgramSpec, ...] = (
    trainer.SPEC,
    accelerate.SPEC,
    trl_sft.SPEC,
    trl_dpo.SPEC,
    trl_reward.SPEC,
    sentence_transformers.SPEC,
    llamafactory.SPEC,
    script.SPEC,
    callable.SPEC,
)
"""The stacks that a configuration may name."""

_OURS = (planted.SPEC,)
"""The stacks that only accumcheck itself uses."""

_BY_NAME = {spec.name: spec for spec in (*STACKS, *_OURS)}


def admit(spec: LoopSpec | ProgramSpec) -> None:
    """Allow one more stack in configurations made in this process, for example a benchmark's; users' files cannot."""
    _BY_NAME[spec.name] = spec


def find_stack(name: str) -> LoopSpec | ProgramSpec:
    """The stack of that name. The part after a colon, as in ``planted:times-k``, is its variant.

    Raises:
        WorkloadError: there is no such stack.
    """
    found = _BY_NAME.get(name.partition(":")[0])
    if found is None:
        raise WorkloadError(f"stack: {name} is not known; expected one of {', '.join(spec.name for spec in STACKS)}")
    return found


def unused_packages(checks: Sequence[CheckConfig]) -> tuple[str, ...]:
    """The packages that no check of a launch uses though its libraries import them, in order.

    There are none where one check loads its model or its data, runs code from elsewhere, or has a training argument
    for which Trainer may need another package, such as ``report_to`` or ``deepspeed``: that package may use them.
    """
    unused = [set(find_stack(one.stack).unused) if _needs_no_more(one) else set[str]() for one in checks]
    return tuple(sorted(set.intersection(*unused))) if unused else ()


def _needs_no_more(check: CheckConfig) -> bool:
    return check.makes_model_and_data and all(
        not value or name in PLAIN_SWITCHES or (isinstance(value, int | float) and value != 1)
        for name, value in check.training_arguments.items()
    )


def package_of(name: str) -> str | None:
    """The package whose release is reported as the stack's release, if there is one."""
    return find_stack(name).package


def stack_of_module(module: str) -> str | None:
    """The stack that runs a module, else the first stack of the module's package; None for a user's module."""
    for spec in STACKS:
        if module in spec.modules:
            return spec.name
    package = module.partition(".")[0] or None
    return next((spec.name for spec in STACKS if (spec.package or "").replace("-", "_") == package), None)
