"""A guard for a real training: a callback that checks how tokens are weighted and how often the optimizer steps."""

from accumcheck.guard.callback import Guard, GuardError

__all__ = ["Guard", "GuardError"]
