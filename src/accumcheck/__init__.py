"""accumcheck: does every split of a global batch give the same loss and the same gradient?"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would double the time until the program handles Ctrl-C
if TYPE_CHECKING:
    from accumcheck.guard import Guard, GuardError
    from accumcheck.loops import report_loss

__version__ = "0.1.0"

__all__ = ["Guard", "GuardError", "__version__", "report_loss"]


def __getattr__(name: str) -> object:
    """Import what is asked for and no more: `Guard` needs torch and transformers, nothing else here does."""
    if name in ("Guard", "GuardError"):
        from accumcheck import guard

        return getattr(guard, name)
    if name == "report_loss":
        from accumcheck.loops import report_loss

        return report_loss
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
