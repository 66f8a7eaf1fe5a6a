"""The check of a Trainer as a list of small checks, one for each split and metric. Known failures can be listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from accumcheck.called import resolved, searched

if TYPE_CHECKING:
    from accumcheck.called import Config, Splits
    from accumcheck.record import Report

CHECKS = ("loss", "grad_norm", "gradient", "update")
"""The checks of every split: the reported loss, the norm of the gradient, the gradient itself, and the update."""
RUN = "run"
"""The id of the check of the run as a whole."""
Status = Literal["passed", "failed", "expected failure", "unexpected pass", "skipped", "error"]
_STATUS: Mapping[str, Status] = {"passed": "passed", "failure": "failed", "error": "error", "skipped": "skipped"}

keep_report: ContextVar[Callable[[Report], None] | None] = ContextVar("keep_report", default=None)
"""Called with the report of every `check_trainer`; set by ``pytest --accumcheck-report`` for each test."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One small check.

    Attributes:
        id: ``1x4x4-gradient``, or ``run``.
        split: the split; empty for the run as a whole.
        check: one of `CHECKS`, or ``run``.
        status: how the check ended.
        reason: why it did not pass; for an expected failure, why it is expected.
        details: the findings that explain it.
    """

    id: str
    split: str
    check: str
    status: Status
    reason: str = ""
    details: str = ""


class ChecksFailedError(AssertionError):
    """Some checks of a Trainer failed unexpectedly. ``results`` has all checks, ``report`` is the run's report."""

    def __init__(self, results: Sequence[CheckResult], report: Report) -> None:
        from accumcheck.report import text_of
        from accumcheck.report.documents.check import CheckDocument

        bad = [f"{one.id}: {one.reason}" for one in results if one.status in ("failed", "error")]
        head = f"{len(bad)} of {len(results)} checks fail:"
        super().__init__("\n".join([head, *bad, "", text_of(CheckDocument(report), "table")]))
        self.results, self.report = list(results), report


def check_trainer(
    build: Config, *, splits: Splits, expected_failures: Mapping[str, str] | None = None, **keys: Any
) -> list[CheckResult]:
    """Check that a Trainer gives the same loss and the same gradient under every split.

    Args:
        build: a function at the top level of a file that returns a transformers Trainer (every process calls it); or
            a configuration: its path, or its keys as a mapping.
        splits: for example ``["1x8x1", "2x2x2"]``, processes x per-device batch x accumulation steps.
        expected_failures: the reason of each known failure. A key is a split, one of `CHECKS`, or both, such as
            ``1x4x4-gradient``. Known failures are run too.
        keys: other keys of the configuration, ``steps=1`` for example.

    Returns:
        One result for each split and check. The last one is for the run as a whole.

    Raises:
        ChecksFailedError: some checks failed unexpectedly, or could not be decided.
        ConfigError: an argument or the configuration is wrong.
    """
    from accumcheck.check import run_check

    ids = check_ids(splits)
    reasons = expected_reasons(expected_failures or {}, ids)
    given = {name: value for name, value in keys.items() if value is not None}
    check = resolved(build, {"splits": splits, **given}, Path.cwd(), "accumcheck.check_trainer")
    report = run_check(check, path=searched())
    if (keep := keep_report.get()) is not None:
        keep(report)
    results = [_as_expected(one, reasons.get(one.id, "")) for one in results_of(report)]
    if any(one.status in ("failed", "error") for one in results):
        raise ChecksFailedError(results, report)
    return results


def check_ids(splits: Splits) -> list[str]:
    """The ids of all checks of these splits, in order; the last one is `RUN`.

    Raises:
        ConfigError: the splits are not a list (``auto``), or an entry is not a split.
    """
    from accumcheck.config.batch import listed_splits

    return [f"{split}-{check}" for split in listed_splits(splits) for check in CHECKS] + [RUN]


def expected_reasons(expected: Mapping[str, str], ids: Sequence[str]) -> dict[str, str]:
    """Why checks are expected to fail, by id. Checks that are expected to pass are left out.

    Raises:
        ConfigError: a key matches no check, or has no reason.
    """
    from accumcheck.errors import ConfigError

    found: dict[str, str] = {}
    for key, reason in expected.items():
        meant = [one for one in ids if key in (one, *one.split("-", 1))]
        if not meant:
            raise ConfigError(
                f"expected_failures: {key!r} matches no check; give a split, one of {', '.join(CHECKS)}, or both, "
                f"for example {ids[0]!r}"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise ConfigError(f"expected_failures: {key!r} has no reason; say why this check is known to fail")
        found |= dict.fromkeys(meant, reason)
    return found


def results_of(report: Report) -> list[CheckResult]:
    """One result for each split and check of a run, and one for the run as a whole."""
    from accumcheck.report.documents.check import CheckDocument

    found: dict[str, CheckResult] = {}
    whole: list[CheckResult] = []
    for case in CheckDocument(report).suite().cases:
        split, _, check = case.name.partition(" ")
        status = _STATUS[case.outcome]
        if split == RUN:
            if not check and report.verdict == "skipped":  # only GPUs were missing
                status = "skipped"
            whole.append(CheckResult(RUN, "", RUN, status, f"{check}: {case.message}".lstrip(": "), case.details))
        else:
            reason = "" if status == "passed" else case.message
            found[f"{split}-{check}"] = CheckResult(f"{split}-{check}", split, check, status, reason, case.details)
    bad = sorted((one for one in whole if one.status != "passed"), key=lambda one: one.status == "skipped")
    labels = dict.fromkeys(one.split for one in found.values())
    each = [found.get(f"{split}-{check}") or _not_compared(found, split, check) for split in labels for check in CHECKS]
    return [*each, bad[0] if bad else CheckResult(RUN, "", RUN, "passed")]


def _not_compared(found: Mapping[str, CheckResult], split: str, check: str) -> CheckResult:
    """The result of a check that the run did not make: the split did not run, or has no update to compare."""
    first = next(one for one in found.values() if one.split == split)
    if first.status in ("skipped", "error"):
        return CheckResult(f"{split}-{check}", split, check, first.status, first.reason, first.details)
    return CheckResult(f"{split}-{check}", split, check, "skipped", f"the {check} was not compared")


def _as_expected(result: CheckResult, reason: str) -> CheckResult:
    if not reason or result.status in ("skipped", "error"):
        return result
    status: Status = "expected failure" if result.status == "failed" else "unexpected pass"
    return CheckResult(result.id, result.split, result.check, status, reason, result.details)
