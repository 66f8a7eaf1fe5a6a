"""accumcheck: does every split of a global batch give the same loss and the same gradient?"""

from typing import TYPE_CHECKING, Any

from accumcheck.loops import report_loss

if TYPE_CHECKING:
    from accumcheck.guard import Guard, GuardError

__version__ = "0.1.0"

__all__ = ["Guard", "GuardError", "__version__", "report_loss"]


def __getattr__(name: str) -> Any:
    """`Guard` needs torch and transformers, which nothing else that is imported from here does."""
    if name in ("Guard", "GuardError"):
        from accumcheck import guard

        return getattr(guard, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
