"""The exception tree: every error that a user can cause, with the exit code it leads to."""

from __future__ import annotations

from typing import ClassVar

from accumcheck.record.reason import ReasonKind


class AccumcheckError(Exception):
    """The root. Its text is one clear message for the user; no traceback is ever shown for it.

    ``reason_kind``: the kind of the reason that is reported if the error ends a worker. ``ends_run``: whether every
    split would fail with the same error. The run then stops without training the other splits.
    """

    exit_code = 3
    reason_kind: ClassVar[ReasonKind] = "crashed"
    ends_run: ClassVar[bool] = False


class ConfigError(AccumcheckError):
    """The configuration or the command line is wrong; nothing was run."""

    exit_code = 2
    reason_kind = "refused"


class WorkloadError(AccumcheckError):
    """The model, the data or the program could not be set up. The text says which one and why, in one line."""


class UnsupportedError(WorkloadError):
    """Nothing is broken, but accumcheck cannot check this here: a head, a kind of trainer, a way of sharding."""

    reason_kind = "unsupported"


class UnsupportedHeadError(UnsupportedError):
    """accumcheck does not support this kind of head, whatever the model's size."""


class NoMediaError(UnsupportedError):
    """No synthetic images or sounds can be made for this model. It may still be checked on text alone."""


class UnsupportedProgramError(UnsupportedError):
    """No split of the program can be checked: its way of training has no correct result to compare with."""

    ends_run = True


class MissingPackageError(WorkloadError):
    """A package that the check needs is not installed, or the installed release lacks a feature that it needs."""

    reason_kind = "missing-package"


class RefusedError(WorkloadError):
    """A result would prove nothing: for example the weights moved, or the program did not follow the split."""

    reason_kind = "refused"


class LaunchError(AccumcheckError):
    """Processes could not be started or kept alive."""
