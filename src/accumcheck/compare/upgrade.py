"""The same checks under two sets of packages: the gate before an upgrade."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from accumcheck.check import run_checks
from accumcheck.compare.changes import compare_reports, exit_code, worst_exit_code
from accumcheck.config.model import CheckConfig
from accumcheck.environments import Pin, Request, environments
from accumcheck.errors import LaunchError
from accumcheck.record import ConfigFile, Report
from accumcheck.record.comparison import Comparison, Pair
from accumcheck.runfolder import events
from accumcheck.runfolder.events import Event

Say = Callable[[str], None]
OnEvent = Callable[[CheckConfig, Event], None]


@dataclass(frozen=True, slots=True)
class Planned:
    """One configuration and its file."""

    check: CheckConfig
    file: ConfigFile


@dataclass(frozen=True, slots=True)
class Side:
    """One set of packages: the named ones, and the environment with them; None: accumcheck's own environment."""

    pins: Mapping[str, Pin]
    request: Request | None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the two sides: the releases of the package in which they differ, or of all packages that differ.

    ``package``: the one package that differs; empty if there are several.
    """

    package: str
    old: str
    new: str

    @classmethod
    def of(cls, differing: Sequence[tuple[str, str, str]]) -> Names:
        """The names for sides that differ in these packages. Each is given with its releases on both sides."""
        if len(differing) == 1:
            return cls(*differing[0])
        return cls("", *(", ".join(f"{one[0]} {one[at]}" for one in differing) for at in (1, 2)))

    def side(self, name: str) -> str:
        """The name of a side as part of a sentence."""
        return f"{self.package} {name}".strip()


def run_upgrade(
    planned: Sequence[Planned],
    old: Side,
    new: Side,
    names: Names,
    *,
    allow_drift: bool,
    allow_skipped: bool = False,
    strict: bool = False,
    say: Say,
    on_event: OnEvent,
) -> Comparison:
    """Run every check on this machine, first under the old packages and then under the new ones.

    Both environments are built first, in parallel. Each imports its packages only once.

    Args:
        planned: at least one check.
        old: the packages in use.
        new: the candidate.
        names: the names of the two sides.
        allow_drift: a changed reference is not a failure.
        allow_skipped: splits that were skipped for lack of devices do not change a verdict.
        strict: the candidate must pass without warnings. Otherwise it only must not be worse.
        say: called from several threads with one line on what is being done.
        on_event: called with every event of a run, and its check.

    Raises:
        ConfigError: there is no such release, or the releases conflict.
        LaunchError: an environment could not be built, or nothing could be started in it.
        KeyboardInterrupt: passed on after every process has been ended.
    """
    checks = [one.check for one in planned]
    with environments([old.request, new.request], say=say) as pythons:
        reports = [
            list(_run(planned, name, python, say, on_event, allow_skipped=allow_skipped, strict=strict))
            for name, python in zip(map(names.side, (names.old, names.new)), pythons, strict=True)
        ]
    assert len(reports[0]) == len(reports[1]) == len(checks)
    pairs = tuple(
        pair_of(one.file.path, before, after, strict=strict, allow_drift=allow_drift, allow_missing=allow_skipped)
        for one, before, after in zip(planned, *reports, strict=True)
    )
    return Comparison(
        title=f"accumcheck upgrade: {names.side(names.old)} -> {names.new}",
        old=names.old,
        new=names.new,
        pairs=pairs,
        exit_code=worst_exit_code(pair.exit_code for pair in pairs),
        allow_drift=allow_drift,
        gate=True,
        allow_missing=allow_skipped,
        strict=strict,
        package=names.package,
    )


def pair_of(
    config: str, old: Report, new: Report, *, strict: bool, allow_drift: bool, allow_missing: bool = False
) -> Pair:
    """The comparison of two reports of one check.

    Raises:
        ConfigError: they belong to different checks.
    """
    changes = compare_reports(old, new)
    code = exit_code(changes, new, strict=strict, allow_drift=allow_drift, allow_missing=allow_missing)
    return Pair(config, old, new, changes, code)


def _run(
    planned: Sequence[Planned],
    name: str,
    python: str,
    say: Say,
    on_event: OnEvent,
    *,
    allow_skipped: bool,
    strict: bool,
) -> Iterator[Report]:
    """The reports of all checks on one side. Yields each as soon as its check has ended."""
    waiting = iter(planned)
    running = planned[0]

    def follow(event: Event) -> None:
        nonlocal running
        if isinstance(event, events.Planned):
            running = next(waiting, running)
            say(f"{running.file.path} under {name}")
        on_event(running.check, event)

    say(f"{name}: importing torch and transformers")
    try:
        checks = [one.check for one in planned]
        reports = run_checks(checks, on_event=follow, allow_skipped=allow_skipped, strict=strict, python=python)
        for one, report in zip(planned, reports, strict=True):
            yield replace(report, config_file=one.file)
    except LaunchError as error:
        raise LaunchError(f"under {name}: {error}") from error
