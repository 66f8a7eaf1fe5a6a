"""The exception tree: every error that a user can cause, with the exit code it leads to."""

from __future__ import annotations

from typing import ClassVar

from accumcheck.record.reason import ReasonKind


class AccumcheckError(Exception):
    """The root. Its text is one clear message for the user; no traceback is ever shown for it.

    ``reason_kind``: what kind of reason it is where it ends a worker; ``ends_run``: whether it is the same for every
    split, so that none need be trained to its end.
    """

    exit_code = 3
    reason_kind: ClassVar[ReasonKind] = "crashed"
    ends_run: ClassVar[bool] = False


class ConfigError(AccumcheckError):
    """The configuration or the command line is wrong; nothing was run."""

    exit_code = 2
    reason_kind = "refused"


class WorkloadError(AccumcheckError):
    """The model, the data or the program did not come about; the text says which and why, in one line."""


class UnsupportedError(WorkloadError):
    """Nothing is broken, but accumcheck cannot check this here: a head, a kind of trainer, a way of sharding."""

    reason_kind = "unsupported"


class UnsupportedHeadError(UnsupportedError):
    """Nothing is known of this kind of head, whatever the model's size."""


class NoMediaError(UnsupportedError):
    """No synthetic images or sounds can be made for this model; on text alone it may be checked."""


class UnsupportedProgramError(UnsupportedError):
    """No split of the program can be checked, whatever its numbers: the way it trains has no answer to compare with."""

    ends_run = True


class MissingPackageError(WorkloadError):
    """A package that the check needs is not installed, or its release lacks what is needed."""

    reason_kind = "missing-package"


class RefusedError(WorkloadError):
    """It ran, or could have, but the result would prove nothing: the weights moved, or the split was not followed."""

    reason_kind = "refused"


class LaunchError(AccumcheckError):
    """Processes could not be started or kept alive."""
