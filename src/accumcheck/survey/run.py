"""Run a survey: start its server, and judge each class as soon as its processes have ended."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from accumcheck import __version__
from accumcheck.check import report_of
from accumcheck.config.model import CheckConfig
from accumcheck.errors import AccumcheckError, LaunchError
from accumcheck.launch.launcher import leading, why_ended
from accumcheck.record import Environment, Reason
from accumcheck.record.survey import ComparedSurvey, Survey, SurveyedClass, SurveySummary
from accumcheck.redaction import redacted
from accumcheck.runfolder.events import Ended, EventFollower, Planned
from accumcheck.runfolder.layout import read_plan
from accumcheck.runfolder.place import Place, new_place
from accumcheck.survey.asked import Asked, Head, check_of, config_text
from accumcheck.survey.changes import WORSE
from accumcheck.survey.result import class_of, class_without
from accumcheck.survey.wire import ClassEnded, Found, NewsFollower, write_asked

_POLL_SECONDS = 0.02


@dataclass
class Surveyor:
    """A running survey.

    Attributes:
        asked: what to survey.
        on_found: called with the number of classes that will be checked.
        on_class: called with each class as soon as it is judged.
        python: the interpreter under test.
    """

    asked: Asked
    on_found: Callable[[Environment, int], None] = lambda _, __: None
    on_class: Callable[[SurveyedClass], None] = lambda _: None
    python: str = sys.executable
    _heads: tuple[Head, ...] = ()
    _environment: Environment = field(default_factory=Environment)

    def run(self, known: Sequence[SurveyedClass] = ()) -> Survey:
        """Check every requested class. ``known``: the classes of an earlier survey, which are skipped.

        Raises:
            LaunchError: the server could not be started, or ended before its work was done.
            KeyboardInterrupt: passed on after every process has been ended.
        """
        started_at, clock = datetime.now(timezone.utc), time.monotonic()
        classes = [*known]
        with new_place(0) as place, _serving(place, self.asked, self.python) as server:
            for one in self._follow(place, server):
                self.on_class(one)
                classes.append(one)
        found = tuple(sorted(classes, key=lambda one: one.name))
        return Survey(
            accumcheck_version=__version__,
            exit_code=exit_code_of(found),
            started_at=started_at.isoformat(timespec="seconds"),
            duration_seconds=round(time.monotonic() - clock, 3),
            environment=self._environment,
            splits=self.asked.splits,
            summary=SurveySummary.of(found),
            classes=found,
        )

    def _follow(self, place: Place, server: subprocess.Popen[bytes]) -> Iterator[SurveyedClass]:
        news, left = NewsFollower(place.root), -1
        while left:
            over = server.poll() is not None  # polled first, so that its last words are read below
            for one in news.new():
                match one:
                    case Found(heads, environment):
                        self._heads, self._environment, left = heads, environment, len(heads)
                        self.on_found(environment, left)
                    case ClassEnded():
                        left -= 1
                        yield self._judged(place, one)
            if over and left:
                place.kept.add(place.conductor_log)
                cause = why_ended(server.wait(), place)
                raise LaunchError(f"the survey did not finish: {cause} (log: {place.conductor_log})")
            if left:
                time.sleep(_POLL_SECONDS)

    def _judged(self, place: Place, end: ClassEnded) -> SurveyedClass:
        """Judge a class whose processes have ended, and remove its folder."""
        head, run = self._heads[end.number], place.run(end.number)
        check = check_of(head, self.asked.splits, self.asked.timeout)
        try:
            events = list(EventFollower(run).new())
            planned = any(isinstance(event, Planned) for event in events)
            ended = any(isinstance(event, Ended) for event in events)
            if end.reason is not None or not (planned and ended):
                reason = end.reason or Reason("crashed", "its process ended before its check did")
                return redacted(class_without(head, reason, check, end.seconds))
            check = read_plan(CheckConfig, run)
            started = datetime.now(timezone.utc)
            report = report_of(check, run, events, started, time.monotonic(), allow_skipped=False, strict=False)
            return class_of(head, report, check, end.seconds)
        except (ArithmeticError, LookupError, ValueError, TypeError, AssertionError) as error:
            # a class that cannot be judged counts as not checked, so that the other classes are not lost
            reason = Reason("crashed", f"it could not be judged: {type(error).__name__}: {error}")
            return redacted(class_without(head, reason, check, end.seconds))
        finally:
            shutil.rmtree(run, ignore_errors=True)


@contextmanager
def _serving(place: Place, asked: Asked, python: str) -> Iterator[subprocess.Popen[bytes]]:
    write_asked(place.root, asked)
    with leading(place, "accumcheck.survey.server", [str(place.root)], python) as server:
        yield server


def write_configs(folder: Path, classes: Sequence[SurveyedClass]) -> None:
    """Write ``NAME.yaml`` for every class that does not pass, so that it can be run alone.

    Raises:
        AccumcheckError: the files cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in classes:
            if one.verdict != "pass":
                (folder / f"{one.name}.yaml").write_text(config_text(one.config), encoding="utf-8")
    except OSError as error:
        raise AccumcheckError(
            f"{folder}: the configurations could not be written: {error.strerror or error}"
        ) from error


def exit_code_of(classes: Sequence[SurveyedClass], comparison: ComparedSurvey | None = None) -> int:
    """1 if a class fails; 3 if a class could not be checked, or if there is none; else 0.

    Compared with an older survey: 1 if a class fails that did not fail before; 3 if a class is no longer checked.
    """
    if comparison is not None:
        kinds = {change.change for change in comparison.changes}
        return 1 if WORSE[0] in kinds else 3 if WORSE[1] in kinds or not classes else 0
    if any(one.verdict == "fail" for one in classes):
        return 1
    return 3 if not classes or not all(one.is_checked for one in classes) else 0
