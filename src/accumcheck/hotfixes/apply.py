"""Applies a hot-fix inside a worker, as its user would: after the Trainer was made."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any

from accumcheck.capture.patches import Patches, Seam
from accumcheck.errors import RefusedError
from accumcheck.hotfixes import find_hotfix

SEAMS = (Seam.TRAINER, Seam.TRAIN)
"""What is replaced to apply a hot-fix to a program."""


def apply(name: str, trainer: Any) -> None:
    """Apply it to this Trainer.

    Raises:
        ValueError: it does not support a Trainer with these settings.
    """
    function = find_hotfix(name).function
    getattr(import_module(f"accumcheck.hotfixes.{function}"), function)(trainer)


def apply_to_every_trainer(name: str, patches: Patches) -> Callable[[], None]:
    """Apply it to every Trainer that this process makes until the patches are undone.

    Args:
        name: the hot-fix's.
        patches: allow `SEAMS`.

    Returns:
        A function to call when the program has ended; it raises a `WorkloadError` if the program made no Trainer.
    """
    from transformers import Trainer

    cured: list[Any] = []

    def curing(original: Any) -> Any:
        @functools.wraps(original)
        def made(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            apply(name, self)
            cured.append(self)

        return made

    def repeating(original: Any) -> Any:
        @functools.wraps(original)
        def trained(self: Any, *args: Any, **kwargs: Any) -> Any:
            # set again what hot-fixes set: a derived class may have changed it after Trainer's own __init__
            self.model_accepts_loss_kwargs = False
            return original(self, *args, **kwargs)

        return trained

    def check_trainer_was_made() -> None:
        if not cured:
            raise RefusedError(f"hotfix: the program made no transformers Trainer to apply {name} to")

    patches.wrap(Seam.TRAINER, Trainer, curing)
    patches.wrap(Seam.TRAIN, Trainer, repeating)
    return check_trainer_was_made
