"""The pytest plugin: a fixture ``accumcheck`` that asserts equivalence, and a marker of the same name.

A check passes only if every split ran and passed. Splits that diverge fail the test with the table of the run; a run
that could not be decided fails it too, and one that lacks nothing but GPUs skips it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from accumcheck.config.model import CheckConfig
    from accumcheck.record import Report, Split

    Config = str | os.PathLike[str] | Mapping[str, Any] | CheckConfig | Callable[..., Any]
    Splits = str | Sequence[str | Split | Mapping[str, int]]

MARKER = "accumcheck"
NO_PROGRAMS = "--accumcheck-no-programs"


class NotEquivalentError(AssertionError):
    """Splits diverge; the message is the verdict on a separate line, and the table of ``report``."""

    def __init__(self, report: Report) -> None:
        from accumcheck.report import text_of
        from accumcheck.report.documents.check import CheckDocument

        document = CheckDocument(report)
        super().__init__(f"{document.conclusion()}\n\n{text_of(document, 'table')}")
        self.report = report


class Checker:
    """Runs checks for one test; relative paths are relative to pytest's root folder."""

    def __init__(self, root: Path, test: str, defaults: Mapping[str, Any], *, no_programs: bool = False) -> None:
        self._root = root
        self._test = test
        self._defaults = dict(defaults)
        self._no_programs = no_programs

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
            config: a function that returns a transformers Trainer, which every process calls separately; or the path
                of a YAML file, the same keys as a mapping, or a `CheckConfig`.
            splits: instead of the configuration's, for example ``["1x8x1", "2x2x2"]``; with a function, they also
                determine the global batch.
            strict: a warning fails the test.
            allow_skipped: a split that was skipped for lack of GPUs does not skip the test.
            overrides: other keys of the configuration; a mapping is merged into the section of that name.

        Returns:
            The report of the run that passed.

        Raises:
            NotEquivalentError: splits diverge.
            pytest.fail.Exception: the configuration is wrong, or the run could not be decided.
            pytest.skip.Exception: splits need more GPUs than there are, and the others passed.
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
            pytest.fail.Exception: the configuration is wrong, runs its author's code although that is refused, or
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
            check = self._resolved(config, wanted)
            if self._no_programs and not callable(config):  # a function is the test's own, and the test already runs
                self._refuse_programs(check, config, wanted)
            return run_check(check, strict=strictly, allow_skipped=skipping, path=_searched())
        except AccumcheckError as error:
            said = redacted_text(f"accumcheck: {error}")
        pytest.fail(said, pytrace=False)  # outside of except, so that the error is not shown again as the cause

    def _refuse_programs(self, check: CheckConfig, config: Config, overrides: Mapping[str, Any]) -> None:
        """Refuse a configuration that runs its author's code.

        Raises:
            ConfigError: it does.
        """
        from accumcheck.authors_code import check_no_code_of_author, check_no_programs, code_of_author
        from accumcheck.config.faults import Place

        if isinstance(config, (str, os.PathLike)):
            check_no_programs([(check, self._root / config)], _written(overrides))
        else:
            check_no_code_of_author((code, Place(self._test)) for code in code_of_author(check))

    def _resolved(self, config: Config, overrides: Mapping[str, Any]) -> CheckConfig:
        from accumcheck.config.faults import Place
        from accumcheck.config.load import load_config, read_config
        from accumcheck.config.model import CheckConfig

        if isinstance(config, CheckConfig) and not overrides:
            return config
        written = _written(overrides)
        if isinstance(config, (str, os.PathLike)):
            return load_config(self._root / config, written)
        if isinstance(config, CheckConfig):
            plain = config.to_dict()
        else:
            plain = dict(config) if isinstance(config, Mapping) else _of_function(config, overrides)
        return read_config(_json(plain), Place(self._test), self._root, written)


@pytest.fixture
def accumcheck(request: pytest.FixtureRequest) -> Checker:
    """Checks that splits of a global batch give the same loss and gradient: ``accumcheck.check("check.yaml")``."""
    from accumcheck.authors_code import asked_by_variable

    defaults: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):  # the one nearest to the test wins
        defaults.update(marker.kwargs)
    no_programs = bool(request.config.getoption(NO_PROGRAMS)) or asked_by_variable()
    return Checker(request.config.rootpath, request.node.nodeid, defaults, no_programs=no_programs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's option."""
    parser.getgroup("accumcheck").addoption(
        NO_PROGRAMS,
        action="store_true",
        help="Refuse configurations that run code of their authors: a script, a callable, trust_remote_code. Also with "
        "ACCUMCHECK_NO_PROGRAMS=1.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that ``--strict-markers`` and ``--markers`` know it."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(splits=..., strict=..., **keys): a test that trains; set by the fixture {MARKER}, whose checks "
        "use the marker's arguments",
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark every test that uses the fixture, so that ``-m 'not accumcheck'`` excludes the slow ones."""
    if MARKER in getattr(item, "fixturenames", ()) and item.get_closest_marker(MARKER) is None:
        item.add_marker(MARKER)


def _of_function(function: Any, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a function that makes a Trainer; the splits determine the global batch.

    Raises:
        ConfigError: other processes cannot import it, or the splits do not determine the global batch.
    """
    from accumcheck.config.batch import batch_of
    from accumcheck.stacks.programs.functions import name_function

    named = name_function(function)
    batch = overrides["global_batch_size"] if "global_batch_size" in overrides else batch_of(overrides.get("splits"))
    return {
        "stack": "callable",
        "callable": named.name,
        "callable_arguments": named.arguments,
        "global_batch_size": batch,
        "splits": "auto",  # unless some are given
    }


def _searched() -> list[str]:
    """Where this process looks for modules, including pytest's folders and its ``pythonpath``; for the workers."""
    return [folder or str(Path.cwd()) for folder in sys.path]


def _written(overrides: Mapping[str, Any]) -> list[str]:
    """Keys as ``--set`` takes them."""
    return [argument for key, value in overrides.items() for argument in _arguments(key, value)]


def _arguments(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{key}.{name}={_json(inner)}" for name, inner in value.items()]
    return [f"{key}={_json(value)}"]


def _json(value: Any) -> str:
    """JSON that is also YAML, where a character beyond 16 bits cannot be written as two escapes."""
    return json.dumps(value, default=str, ensure_ascii=False)


def _undecided(report: Report) -> NoReturn:
    """End the test of a run without a verdict: skipped if only GPUs are missing, else failed."""
    __tracebackhide__ = True
    from accumcheck.report import text_of
    from accumcheck.report.documents.check import CheckDocument
    from accumcheck.report.parts.notes import not_run

    if report.verdict == "skipped":
        pytest.skip("; ".join(note.headline for note in not_run(report)))
    pytest.fail(f"accumcheck could not decide:\n{text_of(CheckDocument(report), 'table')}", pytrace=False)
