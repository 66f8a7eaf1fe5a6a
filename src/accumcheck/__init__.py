"""accumcheck: does every split of a global batch give the same loss and the same gradient?"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would double the time until the program handles Ctrl-C
if TYPE_CHECKING:
    from accumcheck.guard import Guard, GuardError
    from accumcheck.loops import report_loss
    from accumcheck.pytest_checks import parametrize
    from accumcheck.trainer_checks import CheckResult, ChecksFailedError, check_trainer

__version__ = "0.1.0"

__all__ = [
    "CheckResult",
    "ChecksFailedError",
    "Guard",
    "GuardError",
    "__version__",
    "check_trainer",
    "parametrize",
    "report_loss",
]


def __getattr__(name: str) -> object:
    """Import what is asked for and no more: `Guard` needs torch and transformers, nothing else here does."""
    if name in ("Guard", "GuardError"):
        from accumcheck import guard

        return getattr(guard, name)
    if name == "report_loss":
        from accumcheck.loops import report_loss

        return report_loss
    if name in ("check_trainer", "CheckResult", "ChecksFailedError"):
        from accumcheck import trainer_checks

        return getattr(trainer_checks, name)
    if name == "parametrize":
        from accumcheck.pytest_checks import parametrize

        return parametrize
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
