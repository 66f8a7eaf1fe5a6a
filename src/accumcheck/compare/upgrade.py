"""The same checks under two releases: the gate before an upgrade."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from accumcheck.check import run_checks
from accumcheck.compare.changes import compare_reports, exit_code, worst_exit_code
from accumcheck.config.model import CheckConfig
from accumcheck.environments import Request, environments
from accumcheck.errors import LaunchError
from accumcheck.record import ConfigFile, Report
from accumcheck.record.comparison import Comparison, Pair
from accumcheck.runfolder import events
from accumcheck.runfolder.events import Event

Say = Callable[[str], None]
OnEvent = Callable[[CheckConfig, Event], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """One configuration, and where it was written."""

    check: CheckConfig
    file: ConfigFile


@dataclass(frozen=True, slots=True)
class Side:
    """One release of transformers: its version, and the environment that has it, None for the one that is here."""

    release: str
    request: Request | None


def run_upgrade(
    planned: Sequence[Planned],
    old: Side,
    new: Side,
    *,
    allow_drift: bool,
    allow_skipped: bool = False,
    say: Say,
    on_event: OnEvent,
) -> Comparison:
    """Run every check under the old release and then under the new, on this machine.

    Both environments are built first, side by side; the imports are paid once for each.

    Args:
        planned: at least one.
        old: the release in use.
        new: the candidate.
        allow_drift: a reference that moved is no failure.
        allow_skipped: a split skipped for want of devices does not hold a verdict back.
        say: called, from several threads, with what is being done.
        on_event: called with every event of a run, and the check it is of.

    Raises:
        ConfigError: there is no such release, or the releases do not go together.
        LaunchError: an environment could not be built, or nothing could be started in it.
        KeyboardInterrupt: passed on when every process has been ended.
    """
    checks = [one.check for one in planned]
    with environments([old.request, new.request], say=say) as pythons:
        reports = [
            list(_run(planned, side, python, say, on_event, allow_skipped=allow_skipped))
            for side, python in zip((old, new), pythons, strict=True)
        ]
    assert len(reports[0]) == len(reports[1]) == len(checks)
    pairs = tuple(
        pair_of(one.file.path, before, after, gate=True, allow_drift=allow_drift, allow_missing=allow_skipped)
        for one, before, after in zip(planned, *reports, strict=True)
    )
    return Comparison(
        title=f"accumcheck upgrade: transformers {old.release} -> {new.release}",
        old=old.release,
        new=new.release,
        pairs=pairs,
        exit_code=worst_exit_code(pair.exit_code for pair in pairs),
        allow_drift=allow_drift,
        gate=True,
        allow_missing=allow_skipped,
    )


def pair_of(
    config: str, old: Report, new: Report, *, gate: bool, allow_drift: bool, allow_missing: bool = False
) -> Pair:
    """Two reports of one check beside each other.

    Raises:
        ConfigError: they are of two checks.
    """
    changes = compare_reports(old, new)
    code = exit_code(changes, new, gate=gate, allow_drift=allow_drift, allow_missing=allow_missing)
    return Pair(config, old, new, changes, code)


def _run(
    planned: Sequence[Planned], side: Side, python: str, say: Say, on_event: OnEvent, *, allow_skipped: bool
) -> Iterator[Report]:
    """The reports of all checks under one release, as soon as each has ended."""
    waiting = iter(planned)
    running = planned[0]

    def follow(event: Event) -> None:
        nonlocal running
        if isinstance(event, events.Planned):
            running = next(waiting, running)
            say(f"{running.file.path} under transformers {side.release}")
        on_event(running.check, event)

    say(f"transformers {side.release}: importing torch and transformers")
    try:
        checks = [one.check for one in planned]
        reports = run_checks(checks, on_event=follow, allow_skipped=allow_skipped, python=python)
        for one, report in zip(planned, reports, strict=True):
            yield replace(report, config_file=one.file)
    except LaunchError as error:
        raise LaunchError(f"under transformers {side.release}: {error}") from error
