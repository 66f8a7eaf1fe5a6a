"""The software under test, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accumcheck.stacks.protocol import Stack


def load_stack(name: str) -> Stack:
    """The stack of that name, imported only now.

    Raises:
        KeyError: there is no such stack; the configuration has been checked against `accumcheck.config` before.
    """
    if name == "trainer":
        from accumcheck.stacks.trainer import TrainerStack

        return TrainerStack()
    if name == "accelerate":
        from accumcheck.stacks.accelerate import AccelerateStack

        return AccelerateStack()
    if name.startswith("planted:"):
        from accumcheck.stacks.planted import PlantedStack

        return PlantedStack(name.removeprefix("planted:"))
    raise KeyError(name)
