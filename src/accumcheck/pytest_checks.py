"""``@accumcheck.parametrize``: one test for each split and check of a Trainer. All of them share one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from accumcheck.trainer_checks import check_ids, expected_reasons, results_of

if TYPE_CHECKING:
    from accumcheck.called import Config, Splits
    from accumcheck.record import Report

Test = TypeVar("Test", bound=Callable[..., Any])
ARGUMENT = "check"
"""The name of the argument that passes its check to a test."""


class CheckFailedError(AssertionError):
    """One check of one split failed; ``report`` is the report of the run."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report


class SharedRun:
    """The one run that all checks of a test function share. It is made when the first check is called."""

    def __init__(self, build: Config, splits: Splits, keys: Mapping[str, Any]) -> None:
        self._build, self._splits, self._keys = build, splits, dict(keys)
        self._report: Report | None = None
        self._failed: BaseException | None = None

    def report(self, run: Callable[..., Report]) -> Report:
        """The report. If the run could not be made, every check fails with the same error.

        Args:
            run: runs a check, as `accumcheck.pytest_plugin.Checker.run` does.
        """
        __tracebackhide__ = True
        if self._failed is not None:
            raise self._failed
        if self._report is None:
            try:
                self._report = run(self._build, splits=self._splits, **self._keys)
            except pytest.fail.Exception as error:
                self._failed = error
                raise
        return self._report


class Check:
    """One check of one split. Calling it passes, fails or skips the test, with the reason."""

    def __init__(self, run: SharedRun, id_: str) -> None:
        self._run, self._id = run, id_
        self._runner: Callable[..., Report] | None = None

    def __repr__(self) -> str:
        return f"<check {self._id}>"

    def bind(self, runner: Callable[..., Report]) -> None:
        """Set how this pytest session runs a check: with its root folder and its options."""
        self._runner = runner

    def __call__(self) -> Report:
        """Check, and return the report of the run.

        Raises:
            CheckFailedError: the split's loss or gradient is wrong.
            pytest.skip.Exception: the split needs more GPUs than there are.
            pytest.fail.Exception: the run could not be decided, or the configuration is wrong.
        """
        __tracebackhide__ = True
        report = self._run.report(self._runner or _unbound)
        result = next((one for one in results_of(report) if one.id == self._id), None)
        if result is None:
            pytest.fail(f"accumcheck: the run has no {self._id}", pytrace=False)
        if result.status == "failed":
            raise CheckFailedError(f"{result.id}: {result.reason}\n\n{result.details}".rstrip(), report)
        if result.status == "skipped":
            pytest.skip(result.reason)
        if result.status == "error":
            pytest.fail(f"{result.id} could not be decided: {result.reason}\n{result.details}".rstrip(), pytrace=False)
        return report


def parametrize(
    build: Config, *, splits: Splits, expected_failures: Mapping[str, str] | None = None, **keys: Any
) -> Callable[[Test], Test]:
    """Make one test for each split and check of a Trainer, like scikit-learn's ``parametrize_with_checks``.

    The test takes an argument ``check`` and calls it::

        @accumcheck.parametrize(build_trainer, splits=["1x16x1", "1x4x4"])
        def test_splits(check):
            check()

    All tests of one function share one run.

    Args:
        build: as in `accumcheck.check_trainer`.
        splits: as in `accumcheck.check_trainer`.
        expected_failures: as in `accumcheck.check_trainer`; these tests are marked as expected to fail.
        keys: other keys of the configuration, and ``strict`` and ``allow_skipped`` as in the fixture's ``run``.

    Raises:
        ConfigError: splits or expected failures are wrong.
    """
    run, ids = SharedRun(build, splits, keys), check_ids(splits)
    reasons = expected_reasons(expected_failures or {}, ids)

    def marks(id_: str) -> list[pytest.MarkDecorator]:
        return [pytest.mark.xfail(reason=reasons[id_], raises=CheckFailedError)] if id_ in reasons else []

    parameters = [pytest.param(Check(run, id_), id=id_, marks=marks(id_)) for id_ in ids]

    def decorate(test: Test) -> Test:
        decorated: Test = pytest.mark.parametrize(ARGUMENT, parameters)(pytest.mark.accumcheck(test))
        return decorated

    return decorate


def _unbound(*given: Any, **keys: Any) -> Report:
    """The runner if accumcheck's plugin is switched off."""
    from accumcheck.pytest_plugin import Checker

    return Checker(Path.cwd(), "accumcheck.parametrize", {}).run(*given, **keys)
