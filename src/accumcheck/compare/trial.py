"""One check under one release after the other: built, run and kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from packaging.version import Version

from accumcheck.check import run_check
from accumcheck.compare.history import History
from accumcheck.compare.upgrade import Planned
from accumcheck.environments import Pin, Request, environments, published_versions
from accumcheck.errors import ConfigError, LaunchError
from accumcheck.record import Report
from accumcheck.record.bisection import Tried
from accumcheck.runfolder.events import OnEvent

Say = Callable[[str], None]


class Trial:
    """Tries releases: each environment is built when it is needed, and each result is kept."""

    def __init__(
        self,
        planned: Planned,
        others: Sequence[Pin],
        history: History,
        *,
        say: Say,
        on_event: OnEvent,
    ) -> None:
        """Set up what every release is tried with.

        Args:
            planned: the check.
            others: what every environment has beside transformers.
            history: earlier results.
            say: called, from several threads, with what is being done.
            on_event: called with every event of a run.
        """
        self._planned, self._others, self._history = planned, tuple(others), history
        self._say, self._on_event = say, on_event

    def prepare(self, releases: Sequence[str]) -> None:
        """Build what these releases need, side by side; so an end that does not exist is reported before anything runs.

        Raises:
            ConfigError: there is no such release.
            LaunchError: an environment could not be built.
        """
        with environments([self._request(one) for one in releases if self._history.find(one) is None], say=self._say):
            pass

    def __call__(self, release: str) -> Tried:
        """Run the check under a release, or find what came out of it earlier.

        Raises:
            LaunchError: the package index could not be reached; a release that cannot be installed or run is no error.
            KeyboardInterrupt: passed on when every process has been ended.
        """
        if (found := self._history.find(release)) is not None:
            return Tried(release, found, kept=True)
        clock = time.monotonic()
        with contextlib.ExitStack() as lent:
            try:
                (python,) = lent.enter_context(environments([self._request(release)], say=self._say))
            except (ConfigError, LaunchError) as error:
                self._ask_the_index(release)
                return Tried(release, None, str(error), time.monotonic() - clock)
            self._say(f"transformers {release}: importing torch and transformers")
            try:
                report = run_check(self._planned.check, on_event=self._on_event, python=python)
            except LaunchError as error:
                return Tried(release, None, str(error), time.monotonic() - clock)
        report = replace(report, config_file=self._planned.file)
        self._history.keep(release, report)
        return Tried(release, report, why_undecided(report), time.monotonic() - clock)

    def _request(self, release: str) -> Request:
        return Request((Pin("transformers", release), *self._others))

    def _ask_the_index(self, release: str) -> None:
        """Raise what an index that is not there raises: no release is to be skipped for that."""
        published_versions("transformers", at_least=Version(release), at_most=Version(release))


def why_undecided(report: Report) -> str:
    """Why a report could not be decided, in one line; empty where it was."""
    if report.exit_code in (0, 1):
        return ""
    reasons: Mapping[str, None] = dict.fromkeys(split.reason for split in report.splits if split.reason)
    found = [*reasons, *(finding.summary for finding in report.findings if finding.severity == "error")]
    return found[0] if found else "could not be decided"
