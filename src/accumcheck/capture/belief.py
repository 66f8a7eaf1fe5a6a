"""What a Trainer assumes about its model's loss, and where its code is; nothing is run.

Not every release has all of these attributes; a missing one is None.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch

from accumcheck.capture.places import first_line, place
from accumcheck.record import StackBelief

_COUNTS = "num_items_in_batch", r"num_items_in_batch\s*=.*\bsum\("
_DIVIDES = "gradient_accumulation_steps", r"\bloss\b[^#]*/=?\s*(self\.|args\.)[\w.]*gradient_accumulation_steps"
"""A word, which is found fast, and the pattern of a line with it."""


def belief_of(trainer: Any) -> StackBelief:
    """What this Trainer assumes about its model.

    Args:
        trainer: a ``transformers.Trainer``, or an object of a class derived from it.
    """
    accepts = getattr(trainer, "model_accepts_loss_kwargs", None)
    name, where = own_loss(trainer)
    return StackBelief(
        stack=type(trainer).__name__,
        accepts_loss_kwargs=accepts if isinstance(accepts, bool) else None,
        own_loss=name,
        own_loss_place=where,
        counts_place=_in_source(trainer, *_COUNTS),
        divides_place=_in_source(trainer, *_DIVIDES),
        logs_own_rate=_logs_own_rate(trainer),
        logs_unclipped_norm=hasattr(trainer, "_get_grad_norm"),  # computes one even if nothing is clipped
    )


def _logs_own_rate(trainer: Any) -> bool | None:
    """Whether the release reads the rate before the schedule steps and passes it to its log, as later ones do."""
    logs = getattr(trainer, "_maybe_log_save_evaluate", None)
    return None if logs is None else "learning_rate" in inspect.signature(logs).parameters


def own_loss(trainer: Any) -> tuple[str | None, str | None]:
    """What computes the loss instead of the model, and where: a label smoother, or a function that the user gave."""
    if (smoother := getattr(trainer, "label_smoother", None)) is not None:
        return type(smoother).__name__, _defined(type(smoother).__call__)
    if (function := getattr(trainer, "compute_loss_func", None)) is not None:
        return getattr(function, "__qualname__", type(function).__name__), _defined(function)
    method = type(trainer).compute_loss
    module = getattr(trainer, "loss", None)  # sentence-transformers' trainers call one that the user gave them
    if isinstance(module, torch.nn.Module) and not method.__module__.startswith("transformers."):
        return type(module).__qualname__, _defined(type(module).forward)
    if not method.__module__.startswith("transformers."):
        return method.__qualname__, _defined(method)
    return None, None


def _defined(function: Any) -> str | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return None if code is None else place(code.co_filename, code.co_firstlineno)


def _in_source(trainer: Any, word: str, pattern: str) -> str | None:
    """The first such line in the files of the trainer's classes, the most derived class first."""
    for kind in type(trainer).__mro__:
        if kind.__module__ == "builtins":
            continue
        try:
            file = inspect.getsourcefile(kind)
            found = first_line(file, word, pattern) if file else None
        except (OSError, TypeError, UnicodeDecodeError):
            found = None
        if found:
            return found
    return None
