"""The exception tree: every error that a user can cause, with the exit code it leads to."""

from __future__ import annotations


class AccumcheckError(Exception):
    """The root. Its text is one clear message for the user; no traceback is ever shown for it."""

    exit_code = 3


class ConfigError(AccumcheckError):
    """The configuration or the command line is wrong; nothing was run."""

    exit_code = 2


class WorkloadError(AccumcheckError):
    """The model or the data could not be made; the text says which and why, in one line."""


class LaunchError(AccumcheckError):
    """Processes could not be started or kept alive."""
