"""A guard for the real run: a callback that watches how a training weighs its tokens while it trains."""

from accumcheck.guard.callback import Guard, GuardError

__all__ = ["Guard", "GuardError"]
