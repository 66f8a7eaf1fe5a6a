"""A guard for the real run: a callback that watches how a training weighs its tokens and how often it steps."""

from accumcheck.guard.callback import Guard, GuardError

__all__ = ["Guard", "GuardError"]
