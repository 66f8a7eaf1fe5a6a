"""One check from a configuration to a report: launch, collect, judge."""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from accumcheck import __version__
from accumcheck.config.model import CheckConfig
from accumcheck.errors import LaunchError
from accumcheck.launch.launcher import launch
from accumcheck.record import Environment, Finding, ReferenceObservation, Report, SplitObservation
from accumcheck.redaction import redacted
from accumcheck.runfolder.events import Event, Finished, OnEvent, Planned
from accumcheck.runfolder.layout import REFERENCE, has_logs, logs_of
from accumcheck.runfolder.place import Place, new_place
from accumcheck.runfolder.space import is_no_space, no_space

if TYPE_CHECKING:
    from accumcheck.judge.judge import Judgement


def run_check(
    check: CheckConfig,
    *,
    on_event: OnEvent | None = None,
    allow_skipped: bool = False,
    strict: bool = False,
    python: str = sys.executable,
    path: Sequence[str] = (),
) -> Report:
    """Run every split and the reference, and judge them.

    Args:
        check: the resolved configuration.
        on_event: called with every event of the run as it happens (see `accumcheck.launch`).
        allow_skipped: splits that were skipped for lack of devices do not change the verdict.
        strict: a warning is a failure.
        python: the interpreter under test.
        path: folders in which that interpreter looks for modules first.

    Raises:
        LaunchError: nothing could be started.
        KeyboardInterrupt: passed on after every process has been ended.
    """
    (report,) = run_checks(
        [check], on_event=on_event, allow_skipped=allow_skipped, strict=strict, python=python, path=path
    )
    return report


def run_checks(
    checks: Sequence[CheckConfig],
    *,
    on_event: OnEvent | None = None,
    allow_skipped: bool = False,
    strict: bool = False,
    python: str = sys.executable,
    path: Sequence[str] = (),
) -> Iterator[Report]:
    """Run several checks one after the other, as `run_check` does. The packages are imported only once.

    Yields:
        The report of each check as soon as it has ended.
    """
    started_at, clock = datetime.now(timezone.utc), time.monotonic()
    with (
        place_of_launch(len(checks)) as place,
        closing(launch(checks, place, on_event or _ignore, python=python, path=path, meanwhile=_import_judge)) as runs,
    ):
        for number, (check, events) in enumerate(zip(checks, runs, strict=True)):
            run = place.run(number)
            report = report_of(check, run, events, started_at, clock, allow_skipped=allow_skipped, strict=strict)
            place.kept.update(named_logs(report, run))
            yield report
            started_at, clock = datetime.now(timezone.utc), time.monotonic()


def _import_judge() -> None:
    """Import what `report_of` needs: while the packages are imported elsewhere, nobody waits for it."""
    import accumcheck.judge.judge
    import accumcheck.known.matching
    import accumcheck.runfolder.collect  # noqa: F401
    from accumcheck.known.catalogue import known_faults

    known_faults()


@contextmanager
def place_of_launch(runs: int) -> Iterator[Place]:
    """The folder of a launch. It is removed at the end, except for the logs that a message names.

    Raises:
        LaunchError: the folder cannot be written, or the launch failed. The message then names the conductor's log.
    """
    try:
        with new_place(runs) as place:
            try:
                yield place
            except LaunchError:
                place.kept.add(place.conductor_log)
                raise
    except OSError as error:
        folder = Path(tempfile.gettempdir())
        if is_no_space(error):
            raise LaunchError(no_space(folder)) from error
        raise LaunchError(f"the run's files cannot be kept in {folder}: {error.strerror or error}") from error


def named_logs(report: Report, run: Path) -> Iterator[Path]:
    """The log folders that the report names: those of splits that ended in an error, and of a failed reference."""
    yield from (Path(split.log) for split in report.splits if split.log)
    if not report.reference and has_logs(logs := logs_of(run, REFERENCE)):
        yield logs


def report_of(
    check: CheckConfig,
    folder: Path,
    events: Sequence[Event],
    started_at: datetime,
    clock: float,
    *,
    allow_skipped: bool,
    strict: bool,
) -> Report:
    """Collect and judge what a run left in its folder. The report is redacted here, so it contains no secret.

    Args:
        check: the resolved configuration.
        folder: the run's folder.
        events: all events of the run.
        started_at: when the run began.
        clock: the same moment on the monotonic clock, in seconds.
        allow_skipped: see `run_check`.
        strict: see `run_check`.
    """
    import numpy as np

    from accumcheck.judge.judge import judge
    from accumcheck.runfolder.collect import collect_run

    plan = next(event for event in events if isinstance(event, Planned))
    observations, reference = collect_run(folder, plan.splits, events)
    with np.errstate(all="ignore"), warnings.catch_warnings():  # a NaN becomes a finding, not a numpy warning
        warnings.simplefilter("ignore", RuntimeWarning)
        judgement = judge(
            check,
            observations,
            plan.control,
            reference,
            no_reference=_why_no_reference(events, folder),
            reference_traceback=_traceback_of_reference(events),
            allow_skipped=allow_skipped,
            strict=strict,
            packages=plan.environment.packages,
        )
    report = Report(
        accumcheck_version=__version__,
        verdict=judgement.verdict,
        exit_code=judgement.exit_code,
        started_at=started_at.isoformat(timespec="seconds"),
        duration_seconds=round(time.monotonic() - clock, 3),
        environment=plan.environment,
        config=check.to_dict(),
        model=reference.model if reference is not None else None,
        reference=judgement.reference,
        tolerances=judgement.tolerances,
        control=str(plan.control),
        splits=judgement.splits,
        loss_rule=judgement.loss_rule,
        gradient_rule=judgement.gradient_rule,
        alternatives=judgement.alternatives,
        accuracy=judgement.accuracy,
        not_tested=judgement.not_tested,
        findings=_cited(judgement, check, plan.environment, observations, reference),
        strict=strict,
        program=next((split.program for split in observations if split.program is not None), None),
    )
    return redacted(report)


def _cited(
    judgement: Judgement,
    check: CheckConfig,
    environment: Environment,
    observations: Sequence[SplitObservation],
    reference: ReferenceObservation | None,
) -> tuple[Finding, ...]:
    """The findings, with the published faults that match them."""
    from accumcheck.known.matching import Fitted, circumstances, cite

    if reference is None:
        return judgement.findings
    run = circumstances(check.known_stack, check.training_arguments, environment, observations, reference)
    loss, gradient = (
        [rule, *judgement.alternatives[of]] if rule else []
        for of, rule in (("loss", judgement.loss_rule), ("gradient", judgement.gradient_rule))
    )
    return cite(judgement.findings, run, Fitted(loss, gradient))


def join_run(check: CheckConfig, *, on_event: OnEvent | None = None, python: str = sys.executable) -> int:
    """Lend this machine's processes to a run that node 0 judges; for ``launcher.node_rank`` above 0.

    Args:
        check: the resolved configuration.
        on_event: called with every event on this machine.
        python: the interpreter under test.

    Returns:
        0, or 3 if a split that this machine took part in did not run to its end.

    Raises:
        LaunchError: nothing could be started.
    """
    with place_of_launch(1) as place, closing(launch([check], place, on_event or _ignore, python=python)) as runs:
        (events,) = runs
    return 3 if any(isinstance(event, Finished) and event.status == "error" for event in events) else 0


def _ignore(_: Event) -> None:
    """Nobody watches."""


def _why_no_reference(events: Sequence[Event], folder: Path) -> str:
    ends = _ends_of_reference(events)
    if not ends:
        return "no split ran far enough to record what it was fed"
    reason, logs = ends[0].reason, logs_of(folder, REFERENCE)
    if reason is None:
        return ""
    return f"{reason.text} (log: {logs})" if has_logs(logs) else reason.text


def _traceback_of_reference(events: Sequence[Event]) -> tuple[str, ...]:
    """The last lines of what ended the reference's process; empty if nothing did."""
    return next((end.reason.traceback for end in _ends_of_reference(events) if end.reason is not None), ())


def _ends_of_reference(events: Sequence[Event]) -> list[Finished]:
    return [event for event in events if isinstance(event, Finished) and event.job == REFERENCE]
