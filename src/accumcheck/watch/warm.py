"""Checks one after the other in one launch, each given when the one before has ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone

from accumcheck.check import named_logs, place_of_launch, report_of
from accumcheck.config.model import CheckConfig
from accumcheck.launch.warm import WarmLaunch, warm_launch
from accumcheck.record import Report
from accumcheck.runfolder.events import OnEvent
from accumcheck.runfolder.imported import Imported, read_imported
from accumcheck.runfolder.place import Place


@dataclass(frozen=True, slots=True)
class WarmChecks:
    """A launch that waits for checks."""

    place: Place
    launch: WarmLaunch

    def run(
        self, check: CheckConfig, on_event: OnEvent, *, allow_skipped: bool, strict: bool
    ) -> tuple[Report, Imported]:
        """Run and judge a check as `accumcheck.check.run_check` does.

        Returns:
            Its report, and which files of the user's it has run.

        Raises:
            LaunchError: it could not be started; another launch is needed.
        """
        started_at, clock = datetime.now(timezone.utc), time.monotonic()
        run, events = self.launch.run(check, on_event)
        report = report_of(check, run, events, started_at, clock, allow_skipped=allow_skipped, strict=strict)
        self.place.kept.update(named_logs(report, run))
        return report, read_imported(run)


@contextmanager
def warm_checks(first: CheckConfig, *, python: str) -> Iterator[WarmChecks]:
    """Start a launch, and end it with all its processes and files; only logs that the last report names stay.

    Args:
        first: the check that will be run first.
        python: the interpreter under test.

    Raises:
        LaunchError: nothing could be started.
    """
    with place_of_launch(1) as place, warm_launch(first, place, python=python) as launch:
        yield WarmChecks(place, launch)
