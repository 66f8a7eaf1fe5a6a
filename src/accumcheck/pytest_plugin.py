"""The pytest plugin: a fixture ``accumcheck`` that asserts equivalence, and a marker of the same name.

A check passes only if every split ran and passed. If splits diverge, the test fails with the table of the run. If the
run could not be decided, the test fails too; if only GPUs are missing, it is skipped.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from accumcheck.called import resolved, searched, written
from accumcheck.trainer_checks import keep_report

if TYPE_CHECKING:
    from accumcheck.called import Config, Splits
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Report

MARKER = "accumcheck"
NO_PROGRAMS = "--accumcheck-no-programs"
REPORTS = "--accumcheck-report"


class NotEquivalentError(AssertionError):
    """Splits diverge. The message is the verdict on a separate line, followed by the table of ``report``."""

    def __init__(self, report: Report) -> None:
        from accumcheck.report import text_of
        from accumcheck.report.documents.check import CheckDocument

        document = CheckDocument(report)
        super().__init__(f"{document.conclusion()}\n\n{text_of(document, 'table')}")
        self.report = report


class Checker:
    """Runs checks for one test. Relative paths start from pytest's root folder."""

    def __init__(
        self,
        root: Path,
        test: str,
        defaults: Mapping[str, Any],
        *,
        no_programs: bool = False,
        keep: Callable[[Report], None] | None = None,
    ) -> None:
        self._root = root
        self._test = test
        self._defaults = dict(defaults)
        self._no_programs = no_programs
        self._keep = keep

    def check(
        self,
        config: Config,
        *,
        splits: Splits | None = None,
        strict: bool | None = None,
        allow_skipped: bool | None = None,
        **overrides: Any,
    ) -> Report:
        """Run a check and assert that every split gives the same, right loss and gradient.

        Args:
            config: a function that returns a transformers Trainer (every process calls it); or the path of a YAML
                file, the same keys as a mapping, or a `CheckConfig`.
            splits: used instead of the configuration's splits, for example ``["1x8x1", "2x2x2"]``. With a function
                they also determine the global batch.
            strict: a warning fails the test.
            allow_skipped: a split that was skipped for lack of GPUs does not skip the test.
            overrides: other keys of the configuration; a mapping is merged into the section of that name.

        Returns:
            The report of the run that passed.

        Raises:
            NotEquivalentError: splits diverge.
            pytest.fail.Exception: the configuration is wrong, or the run could not be decided.
            pytest.skip.Exception: some splits need more GPUs than there are, and the others passed.
        """
        __tracebackhide__ = True
        report = self.run(config, splits=splits, strict=strict, allow_skipped=allow_skipped, **overrides)
        if report.exit_code == 1:
            raise NotEquivalentError(report)
        if report.exit_code:
            _undecided(report)
        return report

    def run(
        self,
        config: Config,
        *,
        splits: Splits | None = None,
        strict: bool | None = None,
        allow_skipped: bool | None = None,
        **overrides: Any,
    ) -> Report:
        """Run a check as `check` does, and return its report whatever the verdict.

        Raises:
            pytest.fail.Exception: the configuration is wrong, it runs its author's code although that is refused, or
                nothing could be started.
        """
        __tracebackhide__ = True
        from accumcheck.check import run_check
        from accumcheck.errors import AccumcheckError
        from accumcheck.redaction import redacted_text

        given = {"splits": splits, "strict": strict, "allow_skipped": allow_skipped, **overrides}
        wanted = {**self._defaults, **{name: value for name, value in given.items() if value is not None}}
        strictly, skipping = bool(wanted.pop("strict", False)), bool(wanted.pop("allow_skipped", False))
        try:
            check = resolved(config, wanted, self._root, self._test)
            if self._no_programs and not callable(config):  # a function belongs to the test, which already runs
                self._refuse_programs(check, config, wanted)
            report = run_check(check, strict=strictly, allow_skipped=skipping, path=searched())
            if self._keep is not None:
                self._keep(report)
            return report
        except AccumcheckError as error:
            said = redacted_text(f"accumcheck: {error}")
        pytest.fail(said, pytrace=False)  # outside of except, so that the error is not shown again as the cause

    def _refuse_programs(self, check: CheckConfig, config: Config, overrides: Mapping[str, Any]) -> None:
        """Refuse a configuration that runs its author's code.

        Raises:
            ConfigError: the configuration runs such code.
        """
        from accumcheck.authors_code import check_no_code_of_author, check_no_programs, code_of_author
        from accumcheck.config.faults import Place

        if isinstance(config, (str, os.PathLike)):
            check_no_programs([(check, self._root / config)], written(overrides))
        else:
            check_no_code_of_author((code, Place(self._test)) for code in code_of_author(check))


@pytest.fixture
def accumcheck(request: pytest.FixtureRequest) -> Checker:
    """Checks that splits of a global batch give the same loss and gradient: ``accumcheck.check("check.yaml")``."""
    return _checker_of(request.node, request.node.nodeid)


def _checker_of(item: pytest.Item, name: str) -> Checker:
    """The checker of a test, with the arguments of its markers and the session's options."""
    from accumcheck.authors_code import asked_by_variable

    defaults: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers(MARKER))):  # the marker closest to the test wins
        defaults.update(marker.kwargs)
    no_programs = bool(item.config.getoption(NO_PROGRAMS)) or asked_by_variable()
    return Checker(item.config.rootpath, name, defaults, no_programs=no_programs, keep=_keep(item, name))


def _keep(item: pytest.Item, name: str) -> Callable[[Report], None] | None:
    """What writes the reports of a test; None without the option."""
    folder = item.config.getoption(REPORTS)
    return Reports(item.config.invocation_params.dir / folder, item.config.stash[_WRITTEN]).of(name) if folder else None


_WRITTEN = pytest.StashKey[set[str]]()
"""The names of the reports that this session has written."""


class Reports:
    """The folder of ``--accumcheck-report``: the report of every run, as JSON and as an HTML page."""

    def __init__(self, folder: Path, written: set[str]) -> None:
        self._folder, self._names = folder, written

    def of(self, test: str) -> Callable[[Report], None]:
        """A function that writes the reports of one test. Files have the test's name; further runs get a number."""
        plain = re.sub(r"[^\w.-]+", "-", test).strip("-")[:_LONGEST_NAME]

        def keep(report: Report) -> None:
            from accumcheck.report import write
            from accumcheck.report.documents.check import CheckDocument

            numbered = (plain if number == 1 else f"{plain}-{number}" for number in itertools.count(1))
            name = next(one for one in numbered if one not in self._names)
            self._names.add(name)
            for extension in ("json", "html"):
                write(CheckDocument(report), self._folder / f"{name}.{extension}")

        return keep


_LONGEST_NAME = 150


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    parser.getgroup("accumcheck").addoption(
        NO_PROGRAMS,
        action="store_true",
        help="Refuse configurations that run code of their authors: a script, a callable, trust_remote_code. Also set "
        "by ACCUMCHECK_NO_PROGRAMS=1.",
    )
    parser.getgroup("accumcheck").addoption(
        REPORTS, metavar="DIR", help="Write the report of every check to this folder, as JSON and HTML."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker for ``--strict-markers`` and ``--markers``, and make the folder for reports."""
    config.stash[_WRITTEN] = set()
    if folder := config.getoption(REPORTS):
        try:
            (config.invocation_params.dir / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"{REPORTS} {folder}: the folder cannot be created: {error.strerror}") from error
    config.addinivalue_line(
        "markers",
        f"{MARKER}(splits=..., strict=..., **keys): a test that trains; set by the fixture {MARKER}, whose checks "
        "use the marker's arguments",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test that uses the fixture, so that ``-m 'not accumcheck'`` excludes the slow ones."""
    if MARKER in getattr(item, "fixturenames", ()) and item.get_closest_marker(MARKER) is None:
        item.add_marker(MARKER)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Bind a check of ``@accumcheck.parametrize`` to the session that runs it."""
    checks = sys.modules.get("accumcheck.pytest_checks")  # if nobody imported it, there is no such test
    for value in getattr(getattr(item, "callspec", None), "params", {}).values():
        if checks is not None and isinstance(value, checks.Check):
            value.bind(_checker_of(item, item.nodeid.split("[")[0]).run)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Keep the reports of `accumcheck.check_trainer` too, which is called without the fixture."""
    token = keep_report.set(_keep(item, item.nodeid))
    try:
        yield
    finally:
        keep_report.reset(token)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Among the tests that train, run those first that failed last time. Other tests keep their place."""
    cache = getattr(config, "cache", None)  # -p no:cacheprovider removes it
    failed = cache.get("cache/lastfailed", {}) if cache is not None else {}
    places = [at for at, item in enumerate(items) if item.get_closest_marker(MARKER) is not None]
    ordered = sorted((items[at] for at in places), key=lambda item: item.nodeid not in failed)
    for at, item in zip(places, ordered, strict=True):
        items[at] = item


def _undecided(report: Report) -> NoReturn:
    """End the test of a run without a verdict: skipped if only GPUs are missing, else failed."""
    __tracebackhide__ = True
    from accumcheck.report import text_of
    from accumcheck.report.documents.check import CheckDocument
    from accumcheck.report.parts.notes import not_run

    if report.verdict == "skipped":
        pytest.skip("; ".join(note.headline for note in not_run(report)))
    pytest.fail(f"accumcheck could not decide:\n{text_of(CheckDocument(report), 'table')}", pytrace=False)
