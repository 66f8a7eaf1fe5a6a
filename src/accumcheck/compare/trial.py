"""Run one check under several releases: build the environment, run, and save the result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from accumcheck.check import run_check
from accumcheck.compare.history import History
from accumcheck.compare.subjects import Subject
from accumcheck.compare.upgrade import Planned
from accumcheck.environments import UnreachableError, environments
from accumcheck.errors import ConfigError, LaunchError
from accumcheck.record import Report
from accumcheck.record.bisection import Tried
from accumcheck.runfolder.events import OnEvent

Say = Callable[[str], None]


class Trial:
    """Tries releases. Each environment is built when it is needed, and each result is saved."""

    def __init__(
        self,
        planned: Planned,
        subject: Subject,
        history: History,
        *,
        say: Say,
        on_event: OnEvent,
    ) -> None:
        """Set what is common to all releases.

        Args:
            planned: the check.
            subject: the subject of the search.
            history: earlier results.
            say: called from several threads with one line on what is being done.
            on_event: called with every event of a run.
        """
        self._planned, self._subject, self._history = planned, subject, history
        self._say, self._on_event = say, on_event

    def prepare(self, releases: Sequence[str]) -> None:
        """Build the environments of these releases in parallel, so that a missing release is reported before any run.

        Raises:
            ConfigError: there is no such release.
            LaunchError: an environment could not be built.
        """
        wanted = [one for one in releases if self._history.find(one) is None]
        with environments([self._subject.request(one, self._say) for one in wanted], say=self._say):
            pass

    def __call__(self, release: str) -> Tried:
        """Run the check under a release, or return its saved result.

        Raises:
            LaunchError: the index could not be reached. A release that cannot be installed or run is not an error.
            KeyboardInterrupt: passed on after every process has been ended.
        """
        about = self._subject.about(release)
        if (found := self._history.find(release)) is not None:
            return Tried(release, found, kept=True, about=about)
        clock = time.monotonic()
        with contextlib.ExitStack() as lent:
            try:
                request = self._subject.request(release, self._say)
                (python,) = lent.enter_context(environments([request], say=self._say))
            except UnreachableError:
                raise  # this is no reason to skip a release
            except (ConfigError, LaunchError) as error:
                self._subject.check_reachable(release)
                return Tried(release, None, str(error), time.monotonic() - clock, about=about)
            self._say(f"{request}: importing torch and transformers")
            try:
                report = run_check(self._planned.check, on_event=self._on_event, python=python)
            except LaunchError as error:
                return Tried(release, None, str(error), time.monotonic() - clock, about=about)
        report = replace(report, config_file=self._planned.file)
        self._history.keep(release, report)
        return Tried(release, report, why_undecided(report), time.monotonic() - clock, about=about)


def why_undecided(report: Report) -> str:
    """Why a report could not be decided, in one line; empty if it was decided."""
    if report.exit_code in (0, 1):
        return ""
    reasons: Mapping[str, None] = dict.fromkeys(split.reason for split in report.splits if split.reason)
    found = [*reasons, *(finding.summary for finding in report.findings if finding.severity == "error")]
    return found[0] if found else "could not be decided"
